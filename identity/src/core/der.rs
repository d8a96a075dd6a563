//! The few DER encodings (X.690) that a leaf certificate consists of.

use jiff::{Timestamp, tz::Offset};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// BOOLEAN TRUE.
pub const TRUE: &[u8] = &[0x01, 0x01, 0xff];

/// A value with its tag, and parts of its content one after the other.
pub fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    push_length(&mut out, length);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    // A short length fits the seven low bits; a long one is counted in bytes first.
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = length.to_be_bytes();
            let significant = &bytes[length.leading_zeros() as usize / 8..];
            out.push(0x80 | significant.len() as u8);
            out.extend_from_slice(significant);
        }
    }
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(SEQUENCE, parts)
}

pub fn set(parts: &[&[u8]]) -> Vec<u8> {
    tagged(SET, parts)
}

pub fn octet_string(content: &[u8]) -> Vec<u8> {
    tagged(OCTET_STRING, &[content])
}

/// A bit string of whole bytes.
pub fn bit_string(content: &[u8]) -> Vec<u8> {
    tagged(BIT_STRING, &[&[0], content])
}

/// A number that is not negative, from its big-endian bytes.
pub fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let zeros = magnitude.iter().take_while(|byte| **byte == 0).count();
    match &magnitude[zeros..] {
        [] => tagged(INTEGER, &[&[0]]),
        // The highest bit would be a sign.
        digits @ [first, ..] if *first >= 0x80 => tagged(INTEGER, &[&[0], digits]),
        digits => tagged(INTEGER, &[digits]),
    }
}

/// A directory string, printable where the alphabet allows it.
pub fn directory_string(text: &str) -> Vec<u8> {
    let printable = text.bytes().all(|c| c.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&c));
    tagged(if printable { PRINTABLE_STRING } else { UTF8_STRING }, &[text.as_bytes()])
}

/// A time of whole seconds: UTCTime through 2049, else GeneralizedTime (RFC 5280, 4.1.2.5).
pub fn time(at: Timestamp) -> Vec<u8> {
    let at = Offset::UTC.to_datetime(at);
    let rest = format!("{:02}{:02}{:02}{:02}{:02}Z", at.month(), at.day(), at.hour(), at.minute(), at.second());
    match at.year() {
        year @ 1950..2050 => tagged(UTC_TIME, &[format!("{:02}{rest}", year % 100).as_bytes()]),
        year => tagged(GENERALIZED_TIME, &[format!("{year:04}{rest}").as_bytes()]),
    }
}

/// An extension of a certificate; `oid` is encoded with its tag, `value` is what the octet string holds.
pub fn extension(oid: &[u8], is_critical: bool, value: &[u8]) -> Vec<u8> {
    sequence(&[oid, if is_critical { TRUE } else { &[] }, &octet_string(value)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_as_few_bytes_as_they_need() {
        assert_eq!(sequence(&[])[..], [0x30, 0]);
        assert_eq!(sequence(&[&[7; 127]])[..3], [0x30, 127, 7]);
        assert_eq!(sequence(&[&[7; 128]])[..4], [0x30, 0x81, 128, 7]);
        assert_eq!(sequence(&[&[7; 200], &[8; 100]])[..5], [0x30, 0x82, 1, 44, 7]);
        assert_eq!(sequence(&[&[7; 70_000]])[..6], [0x30, 0x83, 1, 0x11, 0x70, 7]);
    }

    #[test]
    fn unsigned_numbers_are_minimal_and_never_negative() {
        assert_eq!(unsigned(&[])[..], [2, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 5])[..], [2, 1, 5]);
        assert_eq!(unsigned(&[0x80])[..], [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0x7f, 0])[..], [2, 2, 0x7f, 0]);
    }

    #[test]
    fn times_change_their_form_in_2050() {
        let at = |text: &str| time(text.parse().unwrap());
        assert_eq!(at("2049-12-31T23:59:59Z"), b"\x17\x0d491231235959Z");
        assert_eq!(at("2050-01-01T00:00:00Z"), b"\x18\x0f20500101000000Z");
        assert_eq!(at("1950-01-01T00:00:01Z"), b"\x17\x0d500101000001Z");
        assert_eq!(at("1949-01-01T00:00:01Z"), b"\x18\x0f19490101000001Z");
    }

    #[test]
    fn strings_are_printable_where_they_can_be() {
        assert_eq!(directory_string("a.b-c")[..2], [0x13, 5]);
        assert_eq!(directory_string("a_b")[..2], [0x0c, 3]);
    }
}
