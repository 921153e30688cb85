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
    #[doc = include_str!("../docs/book/src/list.md")]
    mod book_list {}
    #[doc = include_str!("../docs/book/src/sweeps.md")]
    mod book_sweeps {}
    #[doc = include_str!("../docs/book/src/rules.md")]
    mod book_rules {}
    #[doc = include_str!("../docs/book/src/second.md")]
    mod book_second {}
    #[doc = include_str!("../docs/book/src/inside.md")]
    mod book_inside {}
    #[doc = include_str!("../docs/book/src/unrolling.md")]
    mod book_unrolling {}
    #[doc = include_str!("../docs/book/src/forgetting.md")]
    mod book_forgetting {}
    #[doc = include_str!("../docs/book/src/fixed-point.md")]
    mod book_fixed_point {}
    #[doc = include_str!("../docs/book/src/first-order.md")]
    mod book_first_order {}
    #[doc = include_str!("../docs/book/src/trust.md")]
    mod book_trust {}
    #[doc = include_str!("../docs/book/src/checking.md")]
    mod book_checking {}
    #[doc = include_str!("../docs/book/src/exercises.md")]
    mod book_exercises {}
}
