//! Meta-Weight-Net (Shu et al. 2019): a small network V learns what weight an example of a given loss deserves, and one
//! number, its learning rate, decides whether it does.
//!
//! `cargo run --release --example meta_weight_net`

use autodiff::Tensor;
use nn::data::{Noise, digits};
use nn::reweight::{Kind, Setup, Training, example_weight};
use nn::train::{Schedule, Settings, evaluate};
use nn::{Activation, Init, Mlp, rng};

const EPOCHS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut rng = rng(0);
    let all = digits::<f32>()?;
    let [trusted, others] = all.draw_evenly(100, &mut rng)?;
    let (train, test) = others.split_at(1000);
    let (train, trusted, test) = (all.select(train), all.select(&trusted), all.select(test));
    let noisy = train.with_labels(Noise::UniformOther(0.4).apply(train.labels(), 10, &mut rng)?)?;
    let mlp = Mlp::new(&[64, 128, 10], Activation::Relu)?;
    let setup = |kind| Setup {
        mlp: mlp.clone(),
        init: Init::He,
        kind,
        settings: Settings { epochs: EPOCHS, batch: 100, rate: Schedule::LastFifth(0.02) },
        trusted_batch: 100,
        momentum: 0.9,
        decay: 0.0,
        seed: 0,
    };
    let mut plain = Training::new(setup(Kind::Uniform), &noisy, &trusted)?;
    while !plain.is_done() {
        plain.epoch()?;
    }
    println!("plain training: {:.1} % of the test digits right\n", 100.0 * evaluate(&mlp, plain.params(), &test));

    let losses: Vec<f32> = vec![0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0];
    for rate in [1e-3, 1e-2] {
        let heading: String = losses.iter().map(|l| format!("{l:>6}")).collect();
        println!("V learns at {rate}: V(loss) over V(0) at\n{:>5} {heading}   test accuracy", "epoch");
        let mut run = Training::new(setup(Kind::MetaWeightNet { rate, normalize: true }), &noisy, &trusted)?;
        while !run.is_done() {
            run.epoch()?;
            if [1, 10, 20, 50, EPOCHS].contains(&run.epochs()) {
                let v = example_weight(run.meta_params(), &Tensor::from(losses.clone()));
                let curve: String = v.data().iter().map(|x| format!("{:>6.2}", x / v.data()[0])).collect();
                let right = 100.0 * evaluate(&mlp, run.params(), &test);
                println!("{:>5} {curve}   {right:>11.1} %", run.epochs());
            }
        }
        println!();
    }
    Ok(())
}
