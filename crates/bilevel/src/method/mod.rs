//! Hypergradient methods, one per file.

mod ask;
mod augmented_lagrangian;
mod finite_difference;
mod first_order;
mod fixed_point;
mod forward;
mod implicit;
mod memory;
mod online;
mod penalised;
mod penalty;
mod repeated;
mod reverse;
mod reversible;
mod single_loop;
mod trajectory;
mod value_function;
mod virtual_step;

pub use ask::{Ask, Hypergradient, Method};
pub use augmented_lagrangian::AugmentedLagrangian;
pub use finite_difference::FiniteDifference;
pub use first_order::FirstOrder;
pub use fixed_point::{FixedPoint, FixedPointSolver};
pub use forward::Forward;
pub use implicit::{Implicit, LinearSolver};
pub use memory::Memory;
pub use online::Online;
pub use penalised::Descent;
pub use penalty::{MultiplierStep, Penalty, Saddle, Schedule};
pub use repeated::Repeated;
pub use reverse::{Reverse, Window};
pub use reversible::Reversible;
pub use single_loop::{Amigo, Mrbo, Saba, Soba, StocBio};
pub use trajectory::Keep;
pub use value_function::{Bome, F2sa, Pbgd};
pub use virtual_step::{VirtualStep, example_weights};
