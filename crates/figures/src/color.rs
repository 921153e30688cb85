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
    match name.split(':').next().unwrap_or(name) {
        "exact" => "currentColor",
        "reverse" | "l2rw" => COLORS[0],
        "implicit" | "implicit-cg" | "oracle" => COLORS[1],
        "truncated" | "hyper-cleaning" => COLORS[2],
        "penalty" | "clean-and-noisy" => COLORS[3],
        "augmented-lagrangian" | "meta-weight-net" => COLORS[4],
        "forward" | "clean-only" => COLORS[5],
        _ => COLORS[6],
    }
}

/// A colour for each of the methods of one figure: its [own](method_color) where nobody before it has that, else one that
/// is still free, as long as there are any.
pub fn colors_of(names: &[&str]) -> Vec<Color> {
    let mut colors: Vec<Color> = Vec::with_capacity(names.len());
    let known: Vec<Color> = names.iter().map(|name| method_color(name)).collect();
    for own in &known {
        let free = COLORS.iter().find(|c| !colors.contains(c) && !known.contains(c));
        colors.push(if colors.contains(own) { free.copied().unwrap_or(own) } else { own });
    }
    colors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_one_figure_have_colours_of_their_own() {
        let names = ["reverse", "l2rw", "truncated:5", "truncated:20", "implicit-cg", "soba", "bome"];
        let colors = colors_of(&names);
        for (i, color) in colors.iter().enumerate() {
            assert!(!colors[..i].contains(color), "{} has the colour of another", names[i]);
        }
        assert_eq!(
            (colors[0], colors[2], colors[4]),
            (COLORS[0], COLORS[2], COLORS[1]),
            "those that are known keep theirs"
        );
    }
}
