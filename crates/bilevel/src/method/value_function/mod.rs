//! Methods that see the inner problem through its value `g(u, v*(u))` and need first derivatives only. One per file.

mod bome;
mod f2sa;
mod pbgd;

pub use bome::Bome;
pub use f2sa::F2sa;
pub use pbgd::Pbgd;
