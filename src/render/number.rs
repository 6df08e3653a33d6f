//! How is a number written for a reader?

/// A probability (0..=1) in percent: `15.76 %`, `0.0012 %`, `<0.0001 %`, `>99.99 %`.
///
/// Two decimals, two significant digits below 0.01 %, and never a `0.00 %` or `100.00 %` that
/// is not true.
pub fn percent(probability: f64) -> String {
    let (digits, _) = percent_digits(probability);
    format!("{digits} %")
}

/// Like [`percent`], padded on the right so that points stand below each other in a column that
/// is aligned on the right.
pub fn percents(probabilities: &[f64]) -> Vec<String> {
    let written: Vec<_> = probabilities.iter().map(|&probability| percent_digits(probability)).collect();
    let most = written.iter().map(|(_, behind)| *behind).max().unwrap_or(0);
    written.iter().map(|(digits, behind)| format!("{digits}{} %", " ".repeat(most - behind))).collect()
}

/// The digits of [`percent`], and how many of them stand behind the point.
fn percent_digits(probability: f64) -> (String, usize) {
    let percent = probability * 100.0;
    match percent {
        _ if !percent.is_finite() => (special(percent), 0),
        _ if percent >= 99.995 && probability < 1.0 => (">99.99".into(), 2),
        _ if percent <= 0.0 || percent >= 0.01 => (format!("{percent:.2}"), 2),
        _ if percent >= 0.00005 => (format!("{percent:.4}"), 4),
        _ => ("<0.0001".into(), 4),
    }
}

/// The decimals that show the largest of `values` with four significant digits.
pub fn decimals(values: impl Iterator<Item = f64>) -> usize {
    let largest =
        values.filter(|value| value.is_finite()).fold(0.0, |largest: f64, value| largest.max(value.abs()));
    if largest == 0.0 {
        return 3;
    }
    (3 - largest.log10().floor() as i32).clamp(0, 6) as usize
}

/// A number with so many decimals, or in scientific notation where those would show only zeros
/// or more digits than a reader can count.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return special(value);
    }
    let smallest = 0.5 * 10f64.powi(-(decimals as i32));
    match value.abs() {
        0.0 => format!("{:.decimals$}", 0.0),
        size if size < smallest || size >= 1e9 => format!("{value:.1e}"),
        _ => format!("{value:.decimals$}"),
    }
}

/// A count with its thousands apart: `50,257`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let first = digits.len() % 3;
    let groups = std::iter::once(&digits[..first]).filter(|group| !group.is_empty());
    let rest = (first..digits.len()).step_by(3).map(|at| &digits[at..at + 3]);
    groups.chain(rest).collect::<Vec<_>>().join(",")
}

/// The shortest decimal that is this `f32`, instead of the sixteen digits of its neighbour in `f64`.
pub fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

fn special(value: f64) -> String {
    match value {
        f64::INFINITY => "∞".into(),
        f64::NEG_INFINITY => "-∞".into(),
        _ => "nan".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percents_never_round_to_a_certainty() {
        let written = [1.0, 0.999_99, 0.1576, 0.0001, 0.000_012, 0.000_001, 1e-9, 0.0].map(percent);
        assert_eq!(
            written,
            ["100.00 %", ">99.99 %", "15.76 %", "0.01 %", "0.0012 %", "0.0001 %", "<0.0001 %", "0.00 %"]
        );
        assert_eq!(percent(f64::NAN), "nan %");
    }

    #[test]
    fn a_column_of_percents_is_aligned_on_the_point() {
        assert_eq!(percents(&[0.5, 0.000_012]), ["50.00   %", "0.0012 %"]);
        assert_eq!(percents(&[0.5, 0.25]), ["50.00 %", "25.00 %"]);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0, 12, 123, 1234, 50_257, 1_000_000].map(grouped),
            ["0", "12", "123", "1,234", "50,257", "1,000,000"]
        );
    }

    #[test]
    fn a_column_of_numbers_shares_its_decimals() {
        let values = [12.3456, 0.5, -1e-7, 0.0];
        let decimals = decimals(values.into_iter());
        assert_eq!(values.map(|value| number(value, decimals)), ["12.35", "0.50", "-1.0e-7", "0.00"]);
        assert_eq!(number(f64::NEG_INFINITY, 2), "-∞");
        assert_eq!(number(-1e300, 0), "-1.0e300");
    }
}
