//! Colours that mean the same thing everywhere.

/// A colour, as SVG writes it.
pub type Color = &'static str;

/// Colours that colour-blind readers tell apart, on light ground and on dark. (Okabe, Ito 2008; grey in place of black.)
pub const COLORS: [Color; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#787878"];

/// The colour of the thing with this number.
pub fn color(i: usize) -> Color {
    COLORS[i % COLORS.len()]
}

/// The colour of a method, by its name or by what stands before a colon in it: the same for `truncated:5` and `truncated:20`.
/// Grey for a name that is not known.
pub fn method_color(name: &str) -> Color {
    let name = name.strip_prefix("hyper-cleaning:").unwrap_or(name);
    let family = name.split(':').next().unwrap_or(name);
    match family {
        "exact" => "currentColor",
        "reverse" | "l2rw" | "checkpointed" => COLORS[0],
        "implicit" | "implicit-cg" | "oracle" | "implicit-nystrom" => COLORS[1],
        "truncated" | "hyper-cleaning" | "online" | "one-step" => COLORS[2],
        "penalty" | "clean-and-noisy" => COLORS[3],
        "augmented-lagrangian" | "meta-weight-net" => COLORS[4],
        "forward" | "neumann" | "clean-only" => COLORS[5],
        _ => COLORS[6],
    }
}
