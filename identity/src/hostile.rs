//! What strangers send, and files that tools broke: no input panics, takes long, or is taken for something good.
//!
//! Signing requests and tokens come from any pod, PEM from files that people write. Each is tried with bytes of
//! no meaning, and with good ones of which some were changed.

use crate::{
    clock::Clock,
    core::{
        chain::TrustAnchors,
        csr::Csr,
        issuer::Issuer,
        pem,
        token::{AUDIENCE, Claims, RequiredAudience, Review, ServiceAccount},
    },
    local_tokens::LocalTokens,
    reviewer::TokenReviewer,
    testing::{FOO, ca, csr, good, hours, start},
};
use futures::FutureExt;
use proptest::{collection::vec, prelude::*, sample::Index};
use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer};

/// Far more than any of these inputs takes in a debug build on a busy machine.
const LONG: Duration = Duration::from_secs(10);

/// A change of some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, Index),
    Repeat(Index, Index),
    Insert(Index, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let range = |from: &Index, to: &Index| {
            let (from, to) = (from.index(bytes.len() + 1), to.index(bytes.len() + 1));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Set(at, to) if !bytes.is_empty() => *at.get_mut(bytes) = *to,
            Self::Flip(at, bit) if !bytes.is_empty() => *at.get_mut(bytes) ^= 1 << (bit % 8),
            Self::Set(..) | Self::Flip(..) => {}
            Self::Remove(from, to) => drop(bytes.drain(range(from, to))),
            Self::Repeat(from, to) => {
                let range = range(from, to);
                let part = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, part);
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, more.iter().copied());
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, to)| Change::Set(at, to)),
        4 => (at(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Remove(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Change::Repeat(from, to)),
        1 => (at(), vec(any::<u8>(), 0..40)).prop_map(|(at, more)| Change::Insert(at, more)),
    ]
}

/// Good bytes of which some were changed, or bytes of no meaning.
fn broken(good: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let changed = vec(change(), 1..5).prop_map(move |changes| {
        let mut bytes = good.to_vec();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    });
    prop_oneof![4 => changed, 1 => vec(any::<u8>(), 0..2000)]
}

static CSR: LazyLock<Vec<u8>> = LazyLock::new(|| csr(FOO).der());
static ISSUER: LazyLock<(Vec<u8>, Vec<u8>)> = LazyLock::new(|| {
    let made = ca("own").self_signed();
    ((made.pem() + &made.pem()).into_bytes(), made.key().serialize_pem().into_bytes())
});
static TOKENS: LazyLock<LocalTokens> = LazyLock::new(|| LocalTokens::generate(Clock::new(start)).unwrap());
static TOKEN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let account = ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() };
    TOKENS.sign(&account, &[AUDIENCE], hours(1)).unwrap().into_bytes()
});

fn review(token: &[u8]) -> Review {
    let token = String::from_utf8_lossy(token);
    TOKENS.review(&token, &[AUDIENCE]).now_or_never().unwrap().unwrap()
}

proptest! {
    #[test]
    fn a_signing_request_that_is_accepted_is_signed_with_its_key(bytes in broken(&CSR)) {
        let accepted = Csr::parse(&bytes).ok().and_then(|csr| csr.check(FOO).ok()).filter(|csr| csr.public_key.is_ok());
        if accepted.is_some() {
            let (_, request) = X509CertificationRequest::from_der(&bytes).unwrap();
            prop_assert!(request.verify_signature().is_ok());
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(text.contains(FOO));
        }
    }

    #[test]
    fn claims_of_any_bytes_are_times_or_nothing(bytes in broken(&TOKEN)) {
        let claims = Claims::read(&bytes);
        prop_assert_eq!(claims, Claims::read(&bytes));
    }

    #[test]
    fn a_token_that_was_changed_proves_nothing(bytes in broken(&TOKEN)) {
        let is_same = String::from_utf8_lossy(&bytes).trim_end().as_bytes() == TOKEN.as_slice();
        prop_assert_eq!(review(&bytes).is_authenticated, is_same);
    }

    #[test]
    fn a_username_that_proves_an_account_is_spelled_like_it(username in "(system|s)?:?(serviceaccount|node|[a-z.]*):[a-z0-9.-]{0,70}:?[a-zA-Z0-9.-]{0,70}|\\PC*") {
        if let Ok(account) = good(&username).service_account(RequiredAudience::Identity) {
            prop_assert_eq!(format!("system:serviceaccount:{}:{}", account.namespace, account.name), username);
            prop_assert!(account.name.len() <= 63 && !account.name.contains('.'));
        }
    }

    #[test]
    fn bundles_of_any_bytes_are_read_or_refused(bytes in broken(&ISSUER.0)) {
        let certificates = pem::certificates(&bytes);
        if let Ok(anchors) = TrustAnchors::from_pem(&bytes) {
            prop_assert_eq!(anchors.iter().count(), certificates.unwrap().len());
        }
    }

    #[test]
    fn issuers_of_any_bytes_are_read_or_refused(certificates in broken(&ISSUER.0), key in broken(&ISSUER.1)) {
        // At most one of them is broken, so that each is read to its end.
        let _ = Issuer::from_pem(&certificates, &ISSUER.1);
        let _ = Issuer::from_pem(&ISSUER.0, &key);
        let _ = pem::private_key(&key);
    }
}

#[test]
fn what_the_changes_begin_with_is_good() {
    assert!(Csr::parse(&CSR).unwrap().check(FOO).unwrap().public_key.is_ok());
    assert!(review(&TOKEN).is_authenticated);
    assert!(Claims::read(&TOKEN).expires.is_some());
    assert!(Issuer::from_pem(&ISSUER.0, &ISSUER.1).is_ok() && TrustAnchors::from_pem(&ISSUER.0).is_ok());
}

/// Runs on a stack like those of the runtime's threads, and must be quick.
fn is_quick(what: &str, work: impl FnOnce() + Send + 'static) {
    let began = Instant::now();
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap();
    assert!(thread.join().is_ok(), "{what}");
    assert!(began.elapsed() < LONG, "{what} took {:?}", began.elapsed());
}

#[test]
fn inputs_that_are_made_to_be_long_or_deep_are_done_with_quickly() {
    // Sequences in sequences, each with the length of the rest; within a request where anything may stand.
    let nested = |depth: usize| {
        (0..depth).fold(Vec::new(), |inner: Vec<u8>, _| {
            let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
            [&[0x30, 0x84], &length[..], &inner].concat()
        })
    };
    let deep = nested(5_000);
    is_quick("a deep request", move || drop(Csr::parse(&deep).err()));
    let within = rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 17], nested(2_000));
    let request = csr(FOO).names(&[]).with(|params| params.custom_extensions = vec![within]).der();
    is_quick("a deep extension", move || drop(Csr::parse(&request).map(|csr| csr.check(FOO))));
    let names: Vec<String> = (0..20_000).map(|number| format!("n{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let request = csr(FOO).names(&names).der();
    is_quick("many names", move || assert!(Csr::parse(&request).unwrap().check(FOO).is_err()));
    for line in ["-----BEGIN CERTIFICATE-----\n", "-----BEGIN ", "-", "\n", "A", "-----END CERTIFICATE-----\n"] {
        let text = line.repeat((1 << 20) / line.len());
        is_quick("a megabyte of one line", move || {
            drop(TrustAnchors::from_pem(text.as_bytes()).err());
            drop(pem::private_key(text.as_bytes()).err());
        });
    }
    let deep = format!("e30.{}.", base64_of(&format!("{{\"iat\":1,\"x\":{}", "[".repeat(1 << 20))));
    is_quick("deep claims", move || assert_eq!(Claims::read(deep.as_bytes()), Claims::default()));
    is_quick("many dots", || assert_eq!(Claims::read(&vec![b'.'; 4 << 20]), Claims::default()));
}

fn base64_of(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    BASE64_URL_SAFE_NO_PAD.encode(text)
}
