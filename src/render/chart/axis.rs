//! Where do an axis of probabilities end and its lines stand?

/// From 0 to `end`, a line at each multiple of `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    pub end: f64,
    step: f64,
    count: usize,
}

impl Axis {
    /// The roundest axis with at most five steps that holds `largest` (0..=1).
    pub fn of(largest: f64) -> Axis {
        if largest <= 0.0 {
            return Axis { end: 1.0, step: 0.2, count: 5 };
        }
        let largest = largest.clamp(1e-6, 1.0);
        let power = 10f64.powf((largest / 5.0).log10().floor());
        let fits = |factor: &f64| largest / (factor * power) <= 5.0 + 1e-9;
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(fits).unwrap_or(10.0) * power;
        let count = (largest / step - 1e-9).ceil().max(1.0) as usize;
        Axis { end: step * count as f64, step, count }
    }

    /// Each line's value and what is written below it: `2.5 %`.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let percent = self.step * 100.0;
        let whole = |decimals: &i32| {
            let shifted = percent * 10f64.powi(*decimals);
            (shifted - shifted.round()).abs() < 1e-6 * shifted
        };
        let decimals = (0..=8).find(whole).unwrap_or(8) as usize;
        (0..=self.count).map(move |index| {
            let value = self.step * index as f64;
            let text = if index == 0 { "0 %".into() } else { format!("{:.decimals$} %", value * 100.0) };
            (value, text)
        })
    }
}

/// Round numbers from `low` to `high`, about `count` of them, each with how it is written.
pub fn round_steps(low: f64, high: f64, count: usize) -> Vec<(f64, String)> {
    let range = high - low;
    if !(range > 0.0 && range.is_finite()) {
        return vec![(low, format!("{low}"))];
    }
    let wanted = range / count.max(1) as f64;
    let power = 10f64.powf(wanted.log10().floor());
    let step =
        [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= wanted * 0.999).unwrap_or(10.0) * power;
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    // Adding 0 takes the sign off a zero.
    let value = |index: i64| index as f64 * step + 0.0;
    (first..=last).map(|index| (value(index), format!("{:.decimals$}", value(index)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(largest: f64) -> Vec<String> {
        Axis::of(largest).ticks().map(|(_, text)| text).collect()
    }

    #[test]
    fn lines_stand_at_round_numbers() {
        assert_eq!(ticks(0.1576), ["0 %", "5 %", "10 %", "15 %", "20 %"]);
        assert_eq!(ticks(0.12), ["0 %", "2.5 %", "5.0 %", "7.5 %", "10.0 %", "12.5 %"]);
        assert_eq!(ticks(1.0), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(ticks(0.000_03), ["0 %", "0.001 %", "0.002 %", "0.003 %"]);
    }

    #[test]
    fn nothing_and_next_to_nothing_have_an_axis_too() {
        assert_eq!(Axis::of(0.0).end, 1.0);
        assert!(Axis::of(1e-300).end >= 1e-6 && ticks(1e-300).len() <= 6);
        for largest in (1..=1000).map(|n| f64::from(n) / 1000.0) {
            let axis = Axis::of(largest);
            assert!(
                axis.end >= largest - 1e-12 && axis.end <= 1.0 + 1e-12 && axis.count <= 5,
                "{largest}: {axis:?}"
            );
        }
    }

    #[test]
    fn any_range_has_round_steps() {
        let steps =
            |low, high| round_steps(low, high, 5).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(steps(0.0, 1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(steps(-12.0, 31.0), ["-10", "0", "10", "20", "30"]);
        assert_eq!(steps(3.0, 3.0), ["3"]);
    }
}
