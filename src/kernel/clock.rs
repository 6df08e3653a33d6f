//! What time is it, as a message's header says it?

use std::time::{SystemTime, UNIX_EPOCH};

/// Now, as ISO 8601 in UTC with microseconds.
pub fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    written(since.as_secs(), since.subsec_micros())
}

fn written(seconds: u64, micros: u32) -> String {
    let (mut days, in_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= days_of(year) {
        days -= days_of(year);
        year += 1;
    }
    let mut month = 0;
    while days >= MONTHS[month] + leap_day(year, month) {
        days -= MONTHS[month] + leap_day(year, month);
        month += 1;
    }
    let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", month + 1, days + 1)
}

const MONTHS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn days_of(year: u64) -> u64 {
    365 + leap_day(year, 1)
}

/// What February has more in some years.
fn leap_day(year: u64, month: usize) -> u64 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    u64::from(is_leap && month == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(written(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(written(951_782_400, 5), "2000-02-29T00:00:00.000005Z");
        assert_eq!(written(1_709_251_199, 0), "2024-02-29T23:59:59.000000Z");
        assert_eq!(written(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }
}
