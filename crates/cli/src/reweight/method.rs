//! The ways to train, by name.

use crate::args;
use bilevel::{
    Adam, AugmentedLagrangian, Descent, GradientDescent, Implicit, Inner, Keep, Method as Bilevel, Penalty, Reverse,
    Schedule,
};
use nn::reweight::Kind;

/// A way to train.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Method {
    /// As it was asked for.
    pub(super) name: String,
    pub(super) way: Way,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Way {
    /// Steps on minibatches of these examples.
    Steps(On, Kind),
    /// A weight for each example, by a hypergradient method.
    HyperCleaning(Hypergradient),
}

/// What is trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Noisy,
    Trusted,
    Both,
    /// The noisy ones whose label is right.
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hypergradient {
    Reverse,
    Truncated(usize),
    Checkpointed,
    ImplicitCg,
    Penalty,
    AugmentedLagrangian,
}

impl Method {
    pub(super) fn parse(name: &str, meta_rate: f64) -> Result<Self, String> {
        let way = match name.split_once(':') {
            None => match name {
                "plain" => Way::Steps(On::Noisy, Kind::Uniform),
                "clean-only" => Way::Steps(On::Trusted, Kind::Uniform),
                "clean-and-noisy" => Way::Steps(On::Both, Kind::Uniform),
                "oracle" => Way::Steps(On::Right, Kind::Uniform),
                "l2rw" => Way::Steps(On::Noisy, Kind::L2rw),
                "meta-weight-net" => Way::Steps(On::Noisy, Kind::MetaWeightNet { rate: meta_rate, normalize: true }),
                "hyper-cleaning" => Way::HyperCleaning(Hypergradient::Truncated(20)),
                _ => return Err(unknown(name)),
            },
            Some(("hyper-cleaning", method)) => Way::HyperCleaning(match method.split_once(':') {
                None => match method {
                    "reverse" => Hypergradient::Reverse,
                    "checkpointed" => Hypergradient::Checkpointed,
                    "implicit-cg" => Hypergradient::ImplicitCg,
                    "penalty" => Hypergradient::Penalty,
                    "augmented-lagrangian" => Hypergradient::AugmentedLagrangian,
                    _ => return Err(unknown(name)),
                },
                Some(("truncated", k)) => match k.parse() {
                    Ok(k) if k > 0 => Hypergradient::Truncated(k),
                    _ => return Err(format!("{name}: K must be a positive number")),
                },
                Some(_) => return Err(unknown(name)),
            }),
            Some(_) => return Err(unknown(name)),
        };
        Ok(Self { name: name.to_owned(), way })
    }

    /// Whether it learns a weight for each training example.
    pub(super) fn weighs(&self) -> bool {
        !matches!(self.way, Way::Steps(_, Kind::Uniform))
    }
}

fn unknown(name: &str) -> String {
    format!(
        "there is no method `{name}`; there are plain, clean-only, clean-and-noisy, oracle, l2rw, meta-weight-net, hyper-cleaning, \
         hyper-cleaning:reverse, :truncated:K, :checkpointed, :implicit-cg, :penalty, :augmented-lagrangian"
    )
}

impl Hypergradient {
    /// The method with so many inner steps.
    pub(super) fn method<E: autodiff::Element>(self, args: &args::Reweight) -> Box<dyn Bilevel<E>> {
        let (steps, rate) = (args.inner_steps, args.inner_rate);
        let rule = GradientDescent::new(rate);
        let reverse = Reverse::new(rule.clone(), steps);
        let descent = Descent::steps(Adam::new(0.02), steps);
        match self {
            Self::Reverse => Box::new(reverse),
            Self::Truncated(k) => Box::new(reverse.last(k)),
            Self::Checkpointed => Box::new(reverse.keep(Keep::SquareRoot)),
            Self::ImplicitCg => {
                let implicit = Implicit::cg(Inner::steps(rule, steps)).iterations(20).damping(args.damping);
                Box::new(implicit.accept())
            }
            Self::Penalty => {
                Box::new(Penalty { gamma: 1.0, factor: 1.05, schedule: Schedule::PerCall, descent, accept: true })
            }
            Self::AugmentedLagrangian => {
                Box::new(AugmentedLagrangian { descent, accept: true, ..AugmentedLagrangian::new(1.0).constant(3) })
            }
        }
    }
}
