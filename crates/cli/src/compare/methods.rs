//! Methods by name.

use super::problems::Named;
use bilevel::{
    Amigo, AugmentedLagrangian, Bome, F2sa, FiniteDifference, FirstOrder, FixedPoint, FixedPointSolver, Forward,
    GradientDescent, Implicit, Inner, Keep, LinearSolver, Method, Mrbo, Online, Pbgd, Penalty, Repeated, Reverse,
    Reversible, Saba, Soba, StocBio, VirtualStep,
};
use std::error::Error;
use std::str::FromStr;

pub(super) const LIST: [(&str, &str); 29] = [
    ("reverse", "reverse mode through all inner steps"),
    ("truncated:K", "through the last K steps; with a fraction like 1e-3, as many as it takes"),
    ("checkpointed[:BYTES]", "reverse mode with 2√T states, or as many as fit"),
    ("residuals:BYTES", "reverse mode with costly products kept for the last steps, as many as fit"),
    ("reversible", "momentum 9/10, run backwards bit by bit"),
    ("forward", "forward mode, all directions at once"),
    ("online:N", "N steps in forward mode, going on from call to call"),
    ("implicit-cg[:ITERATIONS]", "the implicit equation by conjugate gradients"),
    ("implicit-gmres", "by generalised minimal residuals"),
    ("implicit-bicgstab", "by stabilised biconjugate gradients"),
    ("neumann[:TERMS]", "by a Neumann series"),
    ("nystrom[:RANK]", "by a Nyström approximation, damping 0.01"),
    ("identity", "as if the Hessian were the identity over the rate"),
    ("fixed-point", "the fixed point of the update rule, by iteration"),
    ("fixed-point-gmres", "by generalised minimal residuals"),
    ("fixed-point-bicgstab", "by stabilised biconjugate gradients"),
    ("penalty[:GAMMA]", "‖∇_v g‖² penalised, up to γ = 10⁵"),
    ("augmented-lagrangian[:GAMMA]", "with multipliers, γ = 1"),
    ("f2sa[:GAMMA]", "two inner solutions, first derivatives only, γ = 1000"),
    ("pbgd[:GAMMA]", "the value-function gap as a penalty, γ = 100; as many calls as inner steps"),
    ("bome", "a barrier on the gap that sets its own weight; as many calls as inner steps"),
    ("finite-difference", "one virtual step, a difference in place of a product (DARTS)"),
    ("virtual-step", "one virtual step (L2RW, Meta-Weight-Net)"),
    ("first-order", "through the initial point, curvature left out (FOMAML)"),
    ("soba", "v and the adjoint move together; as many calls as inner steps"),
    ("saba", "with variance reduction"),
    ("stocbio[:TERMS]", "one step and a Neumann series a call"),
    ("amigo", "one step of each a call"),
    ("mrbo[:TERMS]", "with recursive momentum"),
];

/// A method from `name` or `name:setting`.
pub(super) fn parse(text: &str, named: &Named, steps: usize) -> Result<Box<dyn Method<f64>>, Box<dyn Error>> {
    let (name, setting) = text.split_once(':').map_or((text, None), |(name, setting)| (name, Some(setting)));
    let rate = named.rate;
    let rule = GradientDescent::new(rate);
    let inner = || Inner::steps(GradientDescent::new(rate), steps);
    let takes_setting =
        LIST.iter().any(|(known, _)| known.split(['[', ':']).next() == Some(name) && known.contains(':'));
    let known = LIST.iter().any(|(known, _)| known.split(['[', ':']).next() == Some(name));
    if let (Some(setting), false, true) = (setting, takes_setting, known) {
        return Err(format!("method `{text}`: `{name}` takes no `{setting}`").into());
    }
    let settled = |method: Box<dyn Method<f64>>| Box::new(Repeated { method, calls: steps }) as Box<dyn Method<f64>>;
    Ok(match name {
        "reverse" => Box::new(Reverse::new(rule, steps)),
        "truncated" => {
            let Some(setting) = setting else {
                return Err(format!("method `{text}`: how many steps? Say `truncated:10`").into());
            };
            let reverse = Reverse::new(rule, steps);
            Box::new(match setting.parse::<usize>() {
                Ok(k) => reverse.last(k),
                Err(_) => reverse.until(number(text, Some(setting), 0.0)?),
            })
        }
        "checkpointed" => {
            let keep = match setting {
                Some(_) => Keep::Bytes(number(text, setting, 0)?),
                None => Keep::SquareRoot,
            };
            Box::new(Reverse::new(rule, steps).keep(keep))
        }
        "residuals" => {
            let Some(setting) = setting else {
                return Err(format!("method `{text}`: how many bytes? Say `residuals:1000000`").into());
            };
            Box::new(Reverse::new(rule, steps).keep(Keep::Residuals(number(text, Some(setting), 0)?)))
        }
        "reversible" => Box::new(Reversible::new(0.1 * rate, (9, 10), steps)),
        "forward" => Box::new(Forward::new(rule, steps)),
        "online" => Box::new(Online::new(rule, number(text, setting, steps)?)),
        "implicit-cg" => match setting {
            Some(_) => Box::new(Implicit::cg(inner()).iterations(number(text, setting, 0)?)),
            None => Box::new(Implicit::cg(inner())),
        },
        "implicit-gmres" => Box::new(Implicit::new(inner(), LinearSolver::Gmres { restart: 50 })),
        "implicit-bicgstab" => Box::new(Implicit::new(inner(), LinearSolver::BiCgStab)),
        "neumann" => Box::new(Implicit::neumann(inner(), rate, number(text, setting, steps)?)),
        "nystrom" => Box::new(Implicit::nystrom(inner(), number(text, setting, 10)?, 0.01)),
        "identity" => Box::new(Implicit::new(inner(), LinearSolver::Identity { rate })),
        "fixed-point" => Box::new(FixedPoint::new(rule, steps)),
        "fixed-point-gmres" => Box::new(FixedPoint::new(rule, steps).solver(FixedPointSolver::Gmres(50))),
        "fixed-point-bicgstab" => Box::new(FixedPoint::new(rule, steps).solver(FixedPointSolver::BiCgStab)),
        "pbgd" => settled(Box::new(Pbgd { rate, gamma: number(text, setting, 100.0)?, steps: 5 })),
        "bome" => settled(Box::new(Bome { rate, rate_v: 0.1 * rate, eta: 0.5, steps: 5 })),
        "penalty" => Box::new(Penalty::new(number(text, setting, 1e5)?)),
        "augmented-lagrangian" => Box::new(AugmentedLagrangian::new(number(text, setting, 1.0)?).tolerance(1e-8)),
        "f2sa" => Box::new(F2sa::new(rate, number(text, setting, 1e3)?, steps)),
        "finite-difference" => Box::new(FiniteDifference::new(rate)),
        "virtual-step" => Box::new(VirtualStep::new(rate)),
        "first-order" => Box::new(FirstOrder::new(rule, steps)),
        "soba" => settled(Box::new(Soba { rate })),
        "saba" => settled(Box::new(Saba { rate })),
        "stocbio" => {
            let terms = number(text, setting, 20)?;
            settled(Box::new(StocBio { rate, steps: 1, neumann_rate: rate, terms }))
        }
        "amigo" => settled(Box::new(Amigo { rate, steps: 1, adjoint_rate: rate, adjoint_steps: 1 })),
        "mrbo" => {
            let terms = number(text, setting, 20)?;
            settled(Box::new(Mrbo { rate, momentum: 0.5, neumann_rate: rate, terms }))
        }
        _ => {
            let names: Vec<&str> = LIST.iter().map(|(name, _)| *name).collect();
            return Err(format!("there is no method `{text}`; there are {}", names.join(", ")).into());
        }
    })
}

fn number<T: FromStr>(text: &str, setting: Option<&str>, otherwise: T) -> Result<T, Box<dyn Error>> {
    let Some(setting) = setting else { return Ok(otherwise) };
    setting.parse().map_err(|_| format!("method `{text}`: `{setting}` is not a number that fits").into())
}
