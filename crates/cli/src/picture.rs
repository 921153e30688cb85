//! Small pictures in the terminal, two characters to a pixel, so that it is square.

/// The side of a digit's picture.
const SIDE: usize = 8;

const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

/// The rows of characters of an 8×8 picture with values 0 to 1.
pub(crate) fn rows(pixels: &[f32]) -> Vec<String> {
    pixels
        .chunks(SIDE)
        .map(|row| {
            row.iter()
                .flat_map(|&p| {
                    let shade = (p.clamp(0.0, 1.0) * (SHADES.len() - 1) as f32).round() as usize;
                    std::iter::repeat_n(SHADES[shade], 2)
                })
                .collect()
        })
        .collect()
}
