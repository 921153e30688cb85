//! `Executable`: a program compiled for one element type; see `docs/compile.md`.
//!
//! The way: [`graph`] (the compiler's own form) → [`optimize`] (cheaper, same values) → [`legalise`] (views resolved) →
//! [`fuse`] (which ops share a kernel) → [`lower`] (kernels) → [`endings`] (products that are added to something) →
//! [`block`] (kernels that share a pass over their rows) → [`parts`] (of concatenations, made in place) → [`chain`]
//! (walks that share a pass over memory) → [`plan`] (memory; [`in_place`]: what takes the place of what) → [`execute`].

mod bias;
mod block;
mod body;
mod chain;
mod endings;
mod execute;
mod explain;
mod fuse;
mod graph;
mod in_place;
mod kernels;
mod legalise;
mod lower;
mod memory;
mod near;
mod optimize;
mod parts;
mod plan;
mod seen;
mod together;
mod uses;
mod view;
mod walk;

pub use execute::{CompileOptions, Executable};
pub use explain::Profile;
pub(crate) use memory::Arena;
