//! What do colours stand on, dark or light?

use crate::render::colours::luminance;

/// What colours stand on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Background {
    /// As the terminal says, in `COLORFGBG` or when it is asked; else dark.
    #[default]
    Auto,
    Dark,
    Light,
}

/// xterm's question for the colour of the background
/// (<https://invisible-island.net/xterm/ctlseqs/ctlseqs.html>, OSC 11).
pub const QUESTION: &str = "\x1b]11;?\x1b\\";

/// From here on black text is read more easily than white.
const LIGHT: f64 = 0.18;

impl Background {
    /// Whether it is light, as far as the user or the environment says.
    pub fn known(self) -> Option<bool> {
        match self {
            Background::Light => Some(true),
            Background::Dark => Some(false),
            Background::Auto => {
                let colours = std::env::var("COLORFGBG").ok()?;
                let ground = colours.rsplit(';').next()?.parse::<u8>().ok()?;
                Some(matches!(ground, 7 | 9..=15))
            }
        }
    }
}

/// Whether the background is light, as the terminal says when it is asked.
pub fn told(said: &str) -> Option<bool> {
    let colour = said.split("\x1b]11;rgb").nth(1)?.trim_start_matches('a').strip_prefix(':')?;
    let colour = colour.split(['\x1b', '\x07']).next()?;
    // One to four hexadecimal digits each.
    let part = |digits: &str| {
        let most =
            16_u32.checked_pow(digits.len().try_into().ok()?)?.checked_sub(1).filter(|most| *most > 0)?;
        u8::try_from(u32::from_str_radix(digits, 16).ok()? * 255 / most).ok()
    };
    let parts: Vec<u8> = colour.split('/').take(3).map(part).collect::<Option<_>>()?;
    let [red, green, blue] = parts[..] else { return None };
    Some(luminance((red, green, blue)) > LIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_say_their_colour_in_several_ways() {
        assert_eq!(told("\x1b]11;rgb:ffff/ffff/ffff\x1b\\\x1b[?62c"), Some(true));
        assert_eq!(told("\x1b]11;rgb:1e/1e/2e\x07"), Some(false));
        assert_eq!(told("\x1b]11;rgba:fdfd/f6f6/e3e3/ffff\x07"), Some(true));
        for said in
            ["", "\x1b[?62c", "\x1b]11;rgb:\x07", "\x1b]11;rgb:ff/ff\x07", "\x1b]11;rgb:fffffffff/0/0\x07"]
        {
            assert_eq!(told(said), None, "{said:?}");
        }
    }
}
