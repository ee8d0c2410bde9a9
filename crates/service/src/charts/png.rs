//! Charts as PNG, for places that show no SVG: previews of links, slides, chats.

use std::sync::LazyLock;

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// The one font of pictures, so that they look the same on every machine.
const FONT: &[u8] = include_bytes!("../../fonts/Roboto-Regular.ttf");
const FONT_FAMILY: &str = "Roboto";

/// Pixels of the PNG per pixel of the SVG.
const SCALE: f32 = 2.0;

/// What `currentColor` is here: a picture without a page has no theme, so it is dark on white.
const INK: &str = "\"#1b1f24\"";

static OPTIONS: LazyLock<Options<'static>> = LazyLock::new(|| {
    let mut options = Options { font_family: FONT_FAMILY.to_owned(), ..Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(FONT.to_vec());
    fonts.set_sans_serif_family(FONT_FAMILY);
    options
});

/// A picture could not be turned into a PNG.
#[derive(Debug, thiserror::Error)]
#[error("a chart could not be drawn as PNG: {0}")]
pub(super) struct PngError(String);

/// The picture `svg`, drawn dark on white at twice its size.
///
/// # Errors
/// When `svg` is not a picture of ours.
pub(super) fn draw(svg: &str) -> Result<Vec<u8>, PngError> {
    let wrong = |error: &dyn std::fmt::Display| PngError(error.to_string());
    let inked = svg.replace("\"currentColor\"", INK);
    let tree = Tree::from_str(&inked, &OPTIONS).map_err(|error| wrong(&error))?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| wrong(&"it has no size"))?;
    let mut pixmap = Pixmap::new(size.width(), size.height()).ok_or_else(|| wrong(&"it has no size"))?;
    pixmap.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(inner: &str) -> Pixmap {
        let svg = format!(
            "<svg width=\"60\" height=\"20\" viewBox=\"0 0 60 20\" xmlns=\"http://www.w3.org/2000/svg\">{inner}</svg>"
        );
        Pixmap::decode_png(&draw(&svg).unwrap()).unwrap()
    }

    fn dark(pixmap: &Pixmap) -> usize {
        pixmap.pixels().iter().filter(|pixel| pixel.red() < 128).count()
    }

    #[test]
    fn the_ground_is_white_and_the_ink_dark() {
        let drawn = picture("<rect width=\"30\" height=\"20\" fill=\"currentColor\"/>");
        assert_eq!((drawn.width(), drawn.height()), (120, 40));
        assert_eq!(dark(&drawn), 60 * 40);
        assert_eq!(drawn.pixel(119, 39).map(|pixel| pixel.red()), Some(255));
    }

    #[test]
    fn text_is_drawn_whatever_fonts_the_machine_has() {
        let text = |words: &str| {
            picture(&format!(
                "<text x=\"2\" y=\"15\" font-family=\"sans-serif\" font-size=\"14\" fill=\"currentColor\">{words}</text>"
            ))
        };
        assert!(dark(&text("p50 ≤")) > dark(&text("p")));
        assert!(dark(&text("p")) > 0);
    }

    #[test]
    fn what_is_no_picture_is_an_error() {
        assert!(draw("<svg").unwrap_err().to_string().contains("PNG"));
    }
}
