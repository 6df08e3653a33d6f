//! Which colour stands for a quantity?

/// Red, green and blue.
pub type Colour = (u8, u8, u8);

/// A range of colours from the least to the most, equal steps of which look equally large.
#[derive(Debug, Clone, Copy)]
pub struct Scale(&'static [Colour]);

/// From dark violet over green to yellow: nine colours of matplotlib's viridis (van der Walt & Smith 2015, CC0).
pub const VIRIDIS: Scale = Scale(&[
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
]);

/// From white paper over amber to dark red, to lie behind text.
pub const PAPER: Scale = Scale(&[
    (255, 255, 255),
    (253, 225, 187),
    (249, 194, 129),
    (242, 157, 93),
    (230, 114, 71),
    (212, 68, 58),
]);

/// From rust over white to blue, as bars to both sides have it: white is in the middle, and both ends are equally dark.
pub const DIVERGING: Scale = Scale(&[
    (150, 47, 0),
    (183, 98, 60),
    (211, 147, 119),
    (234, 198, 183),
    (250, 250, 250),
    (199, 205, 221),
    (148, 163, 192),
    (97, 122, 164),
    (38, 84, 136),
]);

impl Scale {
    /// The scale for values in this range, and the range that it then spans: where some are below zero, the sign is
    /// what is to be seen first, and zero is in the middle.
    pub fn of((low, high): (f64, f64)) -> (Scale, (f64, f64)) {
        let most = high.max(-low);
        if low < 0.0 { (DIVERGING, (-most, most)) } else { (VIRIDIS, (low, high)) }
    }

    /// The colour at a share of the range, 0 to 1; what lies outside gets the nearest end's.
    pub fn at(self, share: f64) -> Colour {
        let last = self.0.len() - 1;
        let place = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) } * last as f64;
        let index = (place as usize).min(last - 1);
        let (from, to, part) = (self.0[index], self.0[index + 1], place - index as f64);
        let mix =
            |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8;
        (mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
    }
}

/// How light a colour looks, 0 to 1 (relative luminance of WCAG 2).
pub fn luminance((red, green, blue): Colour) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

/// The colour in which text is read best on this one: nearly black or white.
pub fn ink_on(background: Colour) -> Colour {
    // Where black and white stand out equally: √(1.05 · 0.05) - 0.05.
    if luminance(background) > 0.179 { (17, 24, 32) } else { (255, 255, 255) }
}

/// `#4c78a8`.
pub fn css((red, green, blue): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_look_equally_large() {
        for scale in [VIRIDIS, PAPER] {
            // L* of CIELAB.
            let lightness = |step: i32| 116.0 * luminance(scale.at(f64::from(step) / 10.0)).cbrt() - 16.0;
            let steps: Vec<f64> = (0..10).map(|step| lightness(step + 1) - lightness(step)).collect();
            let (least, most) = steps.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
            assert!(least * most > 0.0, "lightness turns: {steps:?}");
            assert!(least.abs().max(most.abs()) < 3.0 * least.abs().min(most.abs()), "{steps:?}");
        }
    }

    #[test]
    fn above_and_below_zero_look_equally_far_from_it() {
        let lightness = |share: f64| 116.0 * luminance(DIVERGING.at(share)).cbrt() - 16.0;
        for step in 0..=8 {
            let away = f64::from(step) / 16.0;
            let (below, above) = (lightness(0.5 - away), lightness(0.5 + away));
            assert!((below - above).abs() < 1.0, "{away}: {below} and {above}");
        }
        assert_eq!(Scale::of((-3.0, 1.0)).1, (-3.0, 3.0));
        assert_eq!(Scale::of((0.0, 1.0)).1, (0.0, 1.0));
    }

    #[test]
    fn the_ends_and_what_lies_beyond() {
        assert_eq!(VIRIDIS.at(0.0), (68, 1, 84));
        assert_eq!(VIRIDIS.at(7.0), VIRIDIS.at(1.0));
        assert_eq!(PAPER.at(f64::NAN), (255, 255, 255));
        assert_eq!(ink_on(VIRIDIS.at(0.0)), (255, 255, 255));
        assert_eq!(css(PAPER.at(0.0)), "#ffffff");
    }
}
