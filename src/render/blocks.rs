//! How is a length drawn with characters?

/// A bar of `share` of `width` columns, in eighths; what is not nothing shows at least one.
pub fn blocks(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let mut eighths = (share * (width * 8) as f64).round() as usize;
    if share > 0.0 {
        eighths = eighths.max(1);
    }
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_eighths() {
        let bars = [0.0, 1e-9, 0.5, 0.5625, 1.0, 7.0, f64::NAN].map(|share| blocks(share, 2));
        assert_eq!(bars, ["", "▏", "█", "█▏", "██", "██", ""]);
    }
}
