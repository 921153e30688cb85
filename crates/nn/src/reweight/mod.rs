//! Learning which examples to trust: L2RW and Meta-Weight-Net, as objectives and as compiled training runs.

mod l2rw;
mod step;
mod training;

pub use l2rw::L2rw;
pub use step::{Kind, example_weight};
pub use training::{Setup, Training};
