//! Service-account tokens without a cluster: signed here, and reviewed by who signed them.
//!
//! They are JSON Web Tokens (RFC 7519) of algorithm ES256, with the claims that a cluster's tokens have.

use crate::{
    clock::Clock,
    core::token::{Review, ServiceAccount},
    reviewer::{ReviewFailed, TokenReviewer},
};
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const ISSUER: &str = "linkerd-sandbox";

/// Signs and reviews tokens.
pub struct LocalTokens {
    key: EcdsaKeyPair,
    clock: Clock,
}

/// Why no token can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalTokensError {
    /// A key that is no PKCS #8 of ECDSA P-256.
    #[error("the key for tokens is not ECDSA P-256 in PKCS#8")]
    Key,
    /// The crypto provider failed.
    #[error("cannot sign tokens: the crypto provider failed")]
    Crypto,
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Vec<String>,
    iat: i64,
    nbf: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Algorithm {
    alg: String,
}

impl LocalTokens {
    /// Uses a new key.
    ///
    /// # Errors
    /// When the crypto provider fails.
    pub fn generate(clock: Clock) -> Result<Self, LocalTokensError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| LocalTokensError::Crypto)?;
        Ok(Self { key, clock })
    }

    /// Uses a key from an earlier run, so that its tokens stay good.
    ///
    /// # Errors
    /// When it is no PKCS #8 (DER) of ECDSA P-256.
    pub fn from_pkcs8(key: &[u8], clock: Clock) -> Result<Self, LocalTokensError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key).map_err(|_| LocalTokensError::Key)?;
        Ok(Self { key, clock })
    }

    /// The key, PKCS #8 in DER.
    ///
    /// # Errors
    /// When the crypto provider fails.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, LocalTokensError> {
        Ok(self.key.to_pkcs8v1().map_err(|_| LocalTokensError::Crypto)?.as_ref().to_vec())
    }

    /// Signs a token for a service account.
    ///
    /// # Errors
    /// When the crypto provider fails.
    pub fn sign(
        &self,
        account: &ServiceAccount,
        audiences: &[&str],
        lifetime: Duration,
    ) -> Result<String, LocalTokensError> {
        let now = self.clock.now().as_second();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: format!("system:serviceaccount:{}:{}", account.namespace, account.name),
            aud: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
            iat: now,
            nbf: now,
            exp: now.saturating_add_unsigned(lifetime.as_secs()),
        };
        let signed = format!("{}.{}", part(&Header { alg: "ES256", typ: "JWT" })?, part(&claims)?);
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| LocalTokensError::Crypto)?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// What a token proves at a time, in the words of a cluster's API server.
    fn verify(&self, token: &str, audiences: &[&str], now: Timestamp) -> Result<Review, String> {
        let claims = self.signed_claims(token.trim_end()).ok_or("invalid bearer token")?;
        if now.as_second() >= claims.exp {
            return Err("[invalid bearer token, service account token has expired]".to_owned());
        }
        if now.as_second() < claims.nbf {
            return Err("[invalid bearer token, service account token is not valid yet]".to_owned());
        }
        let asked = if audiences.is_empty() { &[ISSUER] } else { audiences };
        let audiences: Vec<String> = claims.aud.iter().filter(|of| asked.contains(&of.as_str())).cloned().collect();
        if audiences.is_empty() {
            let has = claims.aud.join(" ");
            return Err(format!("token audiences [{has}] is invalid for the target audiences {asked:?}"));
        }
        Ok(Review { is_authenticated: true, error: String::new(), username: claims.sub, audiences })
    }

    fn signed_claims(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let header: Algorithm = serde_json::from_slice(&decode(header)?).ok()?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref());
        let is_signed = header.alg == "ES256" && key.verify(signed.as_bytes(), &decode(signature)?).is_ok();
        if is_signed { serde_json::from_slice(&decode(claims)?).ok() } else { None }
    }
}

fn part(value: &impl Serialize) -> Result<String, LocalTokensError> {
    let json = serde_json::to_vec(value).map_err(|_| LocalTokensError::Crypto)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
}

impl TokenReviewer for LocalTokens {
    fn review<'a>(&'a self, token: &'a str, audiences: &'a [&'a str]) -> BoxFuture<'a, Result<Review, ReviewFailed>> {
        let review = self.verify(token, audiences, self.clock.now());
        let review = review.unwrap_or_else(|error| Review { error, ..Review::default() });
        Box::pin(std::future::ready(Ok(review)))
    }
}

#[cfg(test)]
mod tests;
