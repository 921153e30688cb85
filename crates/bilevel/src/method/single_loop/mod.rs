//! Stochastic methods in which v, the adjoint w and u move together, one minibatch a call. One per file.
//!
//! They are meant for [`solve`](crate::Problem::solve): a single call from nothing says little.

mod amigo;
mod mrbo;
mod saba;
mod soba;
mod stocbio;

pub use amigo::Amigo;
pub use mrbo::Mrbo;
pub use saba::Saba;
pub use soba::Soba;
pub use stocbio::StocBio;

use crate::error::Result;
use crate::session::Session;
use crate::vector::{axpy, scaled};
use autodiff::{Element, Tensor};

/// `w − rate·(H·w − b)` for so many steps, a batch each.
fn adjoint_sgd<E: Element>(
    session: &mut Session<'_, E>,
    v: &[Tensor<E>],
    b: &[Tensor<E>],
    mut w: Vec<Tensor<E>>,
    rate: f64,
    batches: std::ops::Range<usize>,
) -> Result<Vec<Tensor<E>>> {
    // Of whole data, what does not depend on w is computed once.
    let whole = matches!(session.data.inner, crate::Source::Whole(_));
    if batches.is_empty() {
        return Ok(w);
    }
    let mut hessian = session.hessian(v, batches.start)?;
    for (i, batch) in batches.enumerate() {
        if i > 0 && !whole {
            hessian = session.hessian(v, batch)?;
        }
        let image = session.hvp(&mut hessian, &w)?;
        axpy(-rate, &image, &mut w);
        axpy(rate, b, &mut w);
    }
    Ok(w)
}

/// `η Σ_{k < terms} (I − ηH)ᵏ b`, a batch for each factor.
fn stochastic_neumann<E: Element>(
    session: &mut Session<'_, E>,
    v: &[Tensor<E>],
    b: &[Tensor<E>],
    rate: f64,
    batches: std::ops::Range<usize>,
) -> Result<Vec<Tensor<E>>> {
    // The first term is η·b.
    adjoint_sgd(session, v, b, scaled(rate, b), rate, batches.start + 1..batches.end)
}

/// `f_u − C·w` at v.
fn hypergradient<E: Element>(
    session: &mut Session<'_, E>,
    v: &[Tensor<E>],
    by_u: Vec<Tensor<E>>,
    w: &[Tensor<E>],
    batch: usize,
) -> Result<Vec<Tensor<E>>> {
    let image = session.mixed(v, w, batch)?;
    let mut gradient = by_u;
    axpy(-1.0, &image, &mut gradient);
    Ok(gradient)
}
