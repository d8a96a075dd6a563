//! What a token says of itself.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;

/// When a token was issued and when it expires, by its own account: nobody has checked the signature.
///
/// Good for the order of work, and for letting go of a token that was found good. Never for trust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// When it was issued; `None` when it does not say, or cannot be read.
    pub issued: Option<Timestamp>,
    /// When it expires.
    pub expires: Option<Timestamp>,
}

/// Registered claims of JSON Web Tokens (RFC 7519, 4.1).
#[derive(Deserialize)]
struct Stated {
    iat: Option<f64>,
    exp: Option<f64>,
}

impl Claims {
    /// Reads the claims of a JSON Web Token in its compact form (RFC 7515, 3.1), as far as there are any.
    pub fn read(token: &[u8]) -> Self {
        let claims = token.split(|byte| *byte == b'.').nth(1).unwrap_or_default();
        let stated = BASE64_URL_SAFE_NO_PAD.decode(claims).ok();
        let stated = stated.and_then(|json| serde_json::from_slice::<Stated>(&json).ok());
        // A number that is no time is cut to the nearest one, which is none.
        let time = |seconds: Option<f64>| seconds.and_then(|seconds| Timestamp::from_second(seconds as i64).ok());
        stated.map_or_else(Self::default, |stated| Self { issued: time(stated.iat), expires: time(stated.exp) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Vec<u8> {
        format!("e30.{}.signature", BASE64_URL_SAFE_NO_PAD.encode(claims)).into_bytes()
    }

    fn at(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp::from_second(seconds).unwrap())
    }

    #[test]
    fn times_are_read_from_a_token() {
        let claims = Claims::read(&token(r#"{"aud":["identity.l5d.io"],"iat":1000,"exp":2000.9,"sub":"x"}"#));
        assert_eq!(claims, Claims { issued: at(1000), expires: at(2000) });
        assert_eq!(Claims::read(&token(r#"{"iat":1000}"#)), Claims { issued: at(1000), expires: None });
    }

    #[test]
    fn what_is_no_token_claims_nothing() {
        for text in ["", "garbage", "a.b.c", "..", r#"e30.{"iat":1}.x"#] {
            assert_eq!(Claims::read(text.as_bytes()), Claims::default(), "{text}");
        }
        for claims in ["", "[]", r#"{"iat":"1000"}"#, r#"{"exp":1e300}"#, r#"{"iat":-1e30,"exp":null}"#] {
            assert_eq!(Claims::read(&token(claims)), Claims::default(), "{claims}");
        }
    }
}
