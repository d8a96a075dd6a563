//! What one core can do at most: a certificate takes the check of one signature and the making of another.

use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};

/// Counts pairs of signatures for a time, and tells them as a row of the table.
pub fn row(time: Duration) -> String {
    let (message, random) = ([7; 500], SystemRandom::new());
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key());
    let (began, mut pairs) = (Instant::now(), 0_u32);
    while began.elapsed() < time {
        let signature = key.sign(&random, &message).expect("a signature");
        public.verify(&message, signature.as_ref()).expect("a good signature");
        pairs += 1;
    }
    let each = began.elapsed().as_secs_f64() / f64::from(pairs);
    format!(
        "{:<37} {pairs:>12} {:>11} {:>9.0} {:>8} {:>8} {:>12.3}",
        "signatures alone",
        "",
        1.0 / each,
        "",
        "",
        each * 1e3
    )
}
