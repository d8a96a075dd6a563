//! Kubernetes quantities: decimal numbers with an SI, binary or exponent suffix.

/// Why a text is no quantity, in the API server's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuantity {
    /// Not of the form number and suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// A number without digits, or with two points.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// A suffix that does not exist.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// Reads a quantity in thousandths of its unit, rounded away from zero, at most `i64` wide.
///
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
///
/// # Errors
/// The part of the text that is wrong.
pub fn parse_thousandths(text: &str) -> Result<i64, InvalidQuantity> {
    let (is_negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let suffix_at = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(suffix_at);
    if number.is_empty() || !is_suffix_shaped(suffix) {
        return Err(InvalidQuantity::Format);
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(InvalidQuantity::Number);
    }
    let scale = Scale::parse(suffix).ok_or(InvalidQuantity::Suffix)?;
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let length = scale.thousandths(digits, fraction.len()).min(i64::MAX as u128) as i64;
    Ok(if is_negative { -length } else { length })
}

/// Whether a text is `[eEinumkKMGTP]*[-+]?[0-9]*`.
fn is_suffix_shaped(suffix: &str) -> bool {
    let rest = suffix.trim_start_matches(|c| "eEinumkKMGTP".contains(c));
    let rest = rest.strip_prefix(['-', '+']).unwrap_or(rest);
    rest.bytes().all(|byte| byte.is_ascii_digit())
}

/// What a suffix multiplies a number with: `10^decimal * 2^binary`.
struct Scale {
    decimal: i32,
    binary: u32,
}

impl Scale {
    fn parse(suffix: &str) -> Option<Self> {
        const DECIMAL: [(&str, i32); 10] =
            [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
        const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];
        if let Some((_, decimal)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
            return Some(Self { decimal: *decimal, binary: 0 });
        }
        if let Some((_, binary)) = BINARY.iter().find(|(name, _)| *name == suffix) {
            return Some(Self { decimal: 0, binary: *binary });
        }
        let exponent = suffix.strip_prefix(['e', 'E'])?;
        Some(Self { decimal: exponent.parse().ok()?, binary: 0 })
    }

    /// Thousandths of `digits * 10^-fraction_digits` scaled, rounded up and saturating.
    fn thousandths(&self, digits: &str, fraction_digits: usize) -> u128 {
        // Past 38 digits the result saturates anyway; the digits after them cannot be told apart.
        let kept = &digits[..digits.len().min(38)];
        let dropped = (digits.len() - kept.len()) as i64;
        let Ok(value) = kept.parse::<u128>() else { return 0 };
        let exponent = i64::from(self.decimal) + 3 + dropped - fraction_digits as i64;
        if exponent >= 0 {
            let factor = u32::try_from(exponent).ok().and_then(|power| 10_u128.checked_pow(power));
            return factor.and_then(|factor| value.checked_mul(factor)).map_or(u128::MAX, |value| self.double(value));
        }
        let power = u32::try_from(-exponent).ok().and_then(|power| 10_u128.checked_pow(power));
        let Some(divisor) = power else { return u128::from(value > 0) };
        self.double(value).div_ceil(divisor)
    }

    fn double(&self, value: u128) -> u128 {
        value.saturating_mul(1 << self.binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_round_up_to_thousandths() {
        for (text, thousandths) in [
            ("1", 1_000),
            ("100", 100_000),
            ("500m", 500),
            ("1500u", 2),
            ("1n", 1),
            ("0", 0),
            ("0.5", 500),
            (".5", 500),
            ("1.", 1_000),
            ("2k", 2_000_000),
            ("1Ki", 1_024_000),
            ("0.5Mi", 524_288_000),
            ("1e2", 100_000),
            ("1E-1", 100),
            ("-1", -1_000),
            ("+1", 1_000),
            ("9999999999999999999999", i64::MAX),
            ("1Ei", i64::MAX),
        ] {
            assert_eq!(parse_thousandths(text), Ok(thousandths), "{text}");
        }
    }

    #[test]
    fn bad_quantities_say_what_is_wrong() {
        for text in ["", "foo", "1 ", "1mm!", "--1", "1m5x", "m"] {
            assert_eq!(parse_thousandths(text), Err(InvalidQuantity::Format), "{text}");
        }
        for text in ["1.2.3", "."] {
            assert_eq!(parse_thousandths(text), Err(InvalidQuantity::Number), "{text}");
        }
        for text in ["1Kim", "1e", "1mk"] {
            assert_eq!(parse_thousandths(text), Err(InvalidQuantity::Suffix), "{text}");
        }
    }
}
