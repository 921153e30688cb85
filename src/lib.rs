#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub use autodiff;
pub use bilevel;
pub use nn;

/// The pages under `docs/`, so that their snippets are compiled and run.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../docs/engine.md")]
    mod engine {}
    #[doc = include_str!("../docs/compile.md")]
    mod compile {}
    #[doc = include_str!("../docs/benchmarks.md")]
    mod benchmarks {}
    #[doc = include_str!("../docs/hypergradients.md")]
    mod hypergradients {}
    #[doc = include_str!("../docs/choosing.md")]
    mod choosing {}
    #[doc = include_str!("../docs/error-estimates.md")]
    mod error_estimates {}
    #[doc = include_str!("../docs/elsewhere.md")]
    mod elsewhere {}
    #[doc = include_str!("../docs/conventions.md")]
    mod conventions {}
    #[doc = include_str!("../docs/jax.md")]
    mod jax {}
    #[doc = include_str!("../docs/pytorch.md")]
    mod pytorch {}
    #[doc = include_str!("../docs/speed.md")]
    mod speed {}
}
