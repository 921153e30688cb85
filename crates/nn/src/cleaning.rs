//! Hyper-cleaning: a weight for each example, learnt from trusted examples.

use crate::data::Dataset;
use crate::error::{Result, configuration};
use crate::loss;
use crate::mlp::Mlp;
use crate::train::check_fit;
use autodiff::{Element, Tensor, Value};
use bilevel::{Ask, Data, Dynamics, Event, Method, Options, Problem};
use std::ops::ControlFlow;
use std::path::Path;

/// Hyper-cleaning: the inner problem trains on `(1/N) Σ σ(uᵢ)·ℓᵢ(v) + (c/2)·‖v‖²`, the outer objective is the mean loss on
/// trusted examples. (Franceschi, Donini, Frasconi, Pontil, ICML 2017, section 5.1; Shaban et al., AISTATS 2019.)
///
/// u is one tensor with an element for each training example. Data of either level: inputs `[rows, features]` and one-hot
/// targets `[rows, classes]`. The decay c is on all of v.
pub fn hyper_cleaning(mlp: &Mlp, decay: f64) -> Problem {
    let (outer, inner) = (mlp.clone(), mlp.clone());
    Problem::with_data(
        move |_, v, data| loss::mean_cross_entropy(&outer.forward(v, &data[0]), &data[1]),
        move |u, v, data| {
            let losses = loss::cross_entropy(&inner.forward(v, &data[0]), &data[1]);
            let fit = (u[0].sigmoid() * losses).mean_all();
            v.iter().fold(fit, |sum, v| sum + v.square().sum_all() * (0.5 * decay))
        },
    )
}

/// What hyper-cleaning has learnt.
#[derive(Clone, Debug)]
pub struct Cleaned<E: Element> {
    /// σ(u): a weight in [0, 1] for each training example.
    pub weights: Vec<f64>,
    /// The parameters that the method's inner solve reaches with these weights.
    pub params: Vec<Tensor<E>>,
}

impl<E: Element> Cleaned<E> {
    /// Examples whose weight is below ½: σ(u) fell from where it began.
    pub fn flagged(&self) -> Vec<bool> {
        self.weights.iter().map(|w| *w < 0.5).collect()
    }
}

/// How the weights are learnt.
pub struct HyperCleaning<'a, E: Element> {
    /// The network.
    pub mlp: &'a Mlp,
    /// The decay c.
    pub decay: f64,
    /// How the hypergradient is taken.
    pub method: &'a dyn Method<E>,
    /// How u moves.
    pub optimizer: &'a dyn Dynamics,
    /// Outer steps.
    pub steps: usize,
    /// Where the outer loop is saved after each step, and resumed from if it is there.
    pub state: Option<&'a Path>,
}

impl<E: Element> std::fmt::Debug for HyperCleaning<'_, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HyperCleaning").field("method", &self.method.name()).finish_non_exhaustive()
    }
}

impl<E: Element> HyperCleaning<'_, E> {
    /// Learns a weight for each of the `noisy` examples from the `trusted` ones: from u = 0, the inner problem each time
    /// from `start`. An observer is told of each outer step, and may stop it.
    ///
    /// Time: `steps + 1` hypergradients.
    ///
    /// # Errors
    /// [`Error::Configuration`](crate::Error::Configuration) if a data set does not fit the network, and what the method
    /// reports.
    pub fn run(
        &self,
        noisy: &Dataset<E>,
        trusted: &Dataset<E>,
        start: &[Tensor<E>],
        mut observe: impl FnMut(&Event<E>) -> ControlFlow<()>,
    ) -> Result<Cleaned<E>> {
        check_fit(self.mlp, noisy)?;
        check_fit(self.mlp, trusted)?;
        let arrays = |set: &Dataset<E>| -> Result<[Tensor<E>; 2]> {
            Ok([set.inputs().clone(), loss::one_hot(set.labels(), set.classes())?])
        };
        let (inner, outer) = (arrays(noisy)?, arrays(trusted)?);
        let problem = hyper_cleaning(self.mlp, self.decay).diagnostics(false);
        let u = [Tensor::zeros(&[noisy.len()])];
        let ask = Ask { problem: &problem, u: &u, v0: start, data: Data::new(&outer, &inner) };
        let options = Options::default().iterations(self.steps);
        let mut solver = problem.solve(&ask, self.method, self.optimizer, options)?;
        if let Some(path) = self.state.filter(|path| path.exists()) {
            solver.resume(path)?;
        }
        while let Some(event) = solver.next() {
            let event = event?;
            // The observer first: what it keeps may be ahead of the saved loop, whose steps are then made again, never behind.
            let flow = observe(&event);
            if let Some(path) = self.state {
                solver.save(path)?;
            }
            if flow.is_break() {
                break;
            }
        }
        let u = solver.u().to_vec();
        // A last inner solve: whether this run was resumed makes no difference to it.
        let params = problem.hypergradient_on(&u, start, Data::new(&outer, &inner), self.method)?.inner_solution;
        let weights = solver.u()[0].data().iter().map(|x| x.to_f64().sigmoid()).collect();
        Ok(Cleaned { weights, params })
    }
}

/// How well flags find what is corrupted. The positive class is *corrupted*.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Of the flagged, the fraction that is corrupted; NaN without flags.
    pub precision: f64,
    /// Of the corrupted, the fraction that is flagged; NaN without corrupted ones.
    pub recall: f64,
    /// Their harmonic mean, 0 if nothing is both.
    pub f1: f64,
}

/// Counts flags against the truth.
///
/// # Errors
/// [`Error::Configuration`](crate::Error::Configuration) if there are not as many of one as of the other.
pub fn detection(flagged: &[bool], corrupted: &[bool]) -> Result<Detection> {
    if flagged.len() != corrupted.len() {
        return configuration("flags", format!("{} flags for {} examples", flagged.len(), corrupted.len()));
    }
    let count = |x: &[bool]| x.iter().filter(|x| **x).count() as f64;
    let both = flagged.iter().zip(corrupted).filter(|(a, b)| **a && **b).count() as f64;
    let (flags, truth) = (count(flagged), count(corrupted));
    Ok(Detection { precision: both / flags, recall: both / truth, f1: 2.0 * both / (flags + truth).max(1.0) })
}
