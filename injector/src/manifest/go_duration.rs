//! Durations as Go writes them, which is how annotations have always been written.

use std::time::Duration;

/// Writes a duration as Go does: `1h0m0s`, `1m30s`, `1.5s`, `300ms`.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000_000 {
        let (unit, scale) = match nanos {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanos, scale));
    }
    let seconds = nanos / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let rest = decimal(nanos % 60_000_000_000, 1_000_000_000);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        (_, _) => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// A number of nanoseconds in a larger unit, without needless zeros.
fn decimal(nanos: u128, scale: u128) -> String {
    let width = scale.ilog10() as usize;
    let text = format!("{}.{:0width$}", nanos / scale, nanos % scale);
    if scale == 1 {
        return nanos.to_string();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_does() {
        for (millis, text) in [
            (3_600_000, "1h0m0s"),
            (90_000, "1m30s"),
            (1_500, "1.5s"),
            (60_000, "1m0s"),
            (300, "300ms"),
            (10_000, "10s"),
            (0, "0s"),
        ] {
            assert_eq!(format(Duration::from_millis(millis)), text);
        }
        assert_eq!(format(Duration::from_nanos(7)), "7ns");
        assert_eq!(format(Duration::from_nanos(1_500)), "1.5µs");
    }
}
