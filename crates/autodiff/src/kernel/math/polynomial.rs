//! Polynomials by Estrin's scheme: pairs of terms, pairs of those, and so on. A chain of multiply-adds (Horner's) has
//! a few less instructions, but each waits for the one before, and a processor looks only a few elements ahead.

/// `c₀ + c₁x + c₂x² + …`: the machine's multiply-add, `x`, the coefficients.
macro_rules! polynomial {
    ($mul_add:expr, $x:expr; $c:expr) => { $c };
    ($mul_add:expr, $x:expr; $($c:expr),+ $(,)?) => {{
        let x = $x;
        polynomial!(@pairs $mul_add, x; []; $($c),+)
    }};
    (@pairs $mul_add:expr, $x:ident; [$($done:expr),*]; $a:expr, $b:expr $(, $rest:expr)*) => {
        polynomial!(@pairs $mul_add, $x; [$($done,)* $mul_add($b, $x, $a)]; $($rest),*)
    };
    (@pairs $mul_add:expr, $x:ident; [$done:expr];) => { $done };
    (@pairs $mul_add:expr, $x:ident; [$($done:expr),+]; $($last:expr)?) => {
        polynomial!($mul_add, $x * $x; $($done,)+ $($last)?)
    };
}
