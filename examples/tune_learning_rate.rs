//! The learning rate and the momentum of a training run, learnt by the run itself.
//!
//! The derivative of what a run ends with, by the rate it was run with, goes through every step: forward mode (FMD) carries
//! it along, for each parameter and its velocity one number by the rate and one by the momentum, however long the run. Real-time forward mode (RTHO) does not even wait for the
//! end: it moves rate and momentum every few steps. (Franceschi, Donini, Frasconi, Pontil, ICML 2017.)
//!
//! `cargo run --release --example tune_learning_rate`

use autodiff::{Tensor, Value};
use bilevel::{Adam, Ask, Data, Forward, Hyper, Link, Method, Momentum, Online, Options, Problem};
use nn::data::{Dataset, digits};
use nn::train::evaluate;
use nn::{Activation, Mlp, loss, rng};

/// u = (ln rate, logit of the momentum): any u is a legal choice.
fn rule() -> Momentum {
    Momentum::new(Hyper::upper_element(0, 0).link(Link::Exp), Hyper::upper_element(0, 1).link(Link::Sigmoid))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [train, validation, test] = digits::<f64>()?.split([600, 600, 597], &mut rng(0))?;
    let mlp = Mlp::new(&[64, 10], Activation::Relu)?;
    let (outer, inner) = (mlp.clone(), mlp.clone());
    let problem = Problem::with_data(
        move |_, v, data| loss::mean_cross_entropy(&outer.forward(v, &data[0]), &data[1]),
        move |_, v, data| loss::mean_cross_entropy(&inner.forward(v, &data[0]), &data[1]),
    );
    let arrays = |set: &Dataset<f64>| -> Result<[Tensor<f64>; 2], nn::Error> {
        Ok([set.inputs().clone(), loss::one_hot(set.labels(), 10)?])
    };
    let (outer, inner) = (arrays(&validation)?, arrays(&train)?);
    let v0 = [Tensor::zeros(&[64, 10]), Tensor::zeros(&[10])];
    let u = [Tensor::from([0.01_f64.ln(), 0.0])];
    let ask = Ask { problem: &problem, u: &u, v0: &v0, data: Data::new(&outer, &inner) };

    // Is it the derivative? One run of 50 steps, against a difference of two.
    let fifty = Forward::new(rule(), 50);
    let at = |u: [f64; 2]| problem.hypergradient_on(&[Tensor::from(u)], &v0, ask.data, &fifty);
    let [rate, momentum] = [u[0].data()[0], u[0].data()[1]];
    let h = 1e-5;
    let values = [[rate + h, momentum], [rate - h, momentum], [rate, momentum + h], [rate, momentum - h]];
    let [a, b, c, d] = values.map(|u| at(u).map(|answer| answer.report.outer_value));
    println!("dF/d(ln rate, logit momentum) of 50 steps {:.8}", at([rate, momentum])?.gradient[0]);
    println!("by differences of whole runs             [{:.8}, {:.8}]\n", (a? - b?) / (2.0 * h), (c? - d?) / (2.0 * h));

    // FMD: 30 runs of 50 steps, after each of which u moves. RTHO: one run of 1,500 steps, u moves after every 50.
    let methods: [(&str, Box<dyn Method<f64>>); 2] =
        [("FMD", Box::new(fifty.clone())), ("RTHO", Box::new(Online::new(rule(), 50)))];
    for (name, method) in &methods {
        println!(
            "{name}\n{:>6} {:>8} {:>9} {:>11} {:>14}",
            "update", "rate", "momentum", "validation", "test accuracy"
        );
        let optimizer = Adam::new(0.2);
        let mut solver = problem.solve(&ask, &**method, &optimizer, Options::default().iterations(30))?;
        let mut used = u[0].clone();
        while let Some(event) = solver.next() {
            let event = event?;
            if event.iteration % 5 == 0 || event.iteration == 29 {
                let right = 100.0 * evaluate(&mlp, &event.inner_solution, &test);
                let (rate, momentum) = (used.data()[0].exp(), used.data()[1].sigmoid());
                let value = event.report.outer_value;
                println!("{:>6} {rate:>8.4} {momentum:>9.4} {value:>11.4} {right:>12.1} %", event.iteration);
            }
            used = solver.u()[0].clone();
        }
        println!();
    }
    Ok(())
}
