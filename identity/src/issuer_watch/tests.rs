use super::*;
use crate::{
    denied::Denied,
    issuer_files::Scheme,
    service::Service,
    testing::{FOO, FakeReviewer, Hands, Made, ca, ca_with, config, csr, hours, metrics, request, rsa_key, start},
};
use linkerd_controller::{
    events::{self, Event},
    tasks::Tasks,
};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::sync::mpsc;

struct Fixture {
    folder: TempDir,
    root: Made,
    watch: IssuerWatch,
    service: Service,
    objects: watch::Sender<Seen>,
    events: mpsc::Receiver<Event>,
    hands: Hands,
    tasks: Tasks,
}

fn files(folder: &Path) -> IssuerFiles {
    IssuerFiles::new(Scheme::Linkerd, folder, folder)
}

fn write(folder: &Path, certificate: &Made, key: &Made) {
    std::fs::write(folder.join("crt.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.key().serialize_pem()).unwrap();
}

/// A watch of files that hold an issuer `first` below a root.
fn fixture() -> Fixture {
    let (folder, hands, (tasks, _)) = (tempfile::tempdir().unwrap(), Hands::new(), Tasks::new());
    let root = ca("root").self_signed();
    let first = ca("first").signed_by(&root);
    write(folder.path(), &first, &first);
    std::fs::write(folder.path().join("ca-bundle.crt"), root.pem()).unwrap();
    let current = CurrentAuthority::default();
    let (objects, seen) = watch::channel(Seen::default());
    let followed = Followed::load(files(folder.path()), seen, FOO.to_owned(), &current, &hands.clock()).unwrap();
    let metrics = metrics(&tasks, &current, hands.clock());
    let (events, receiver) = events::Events::queued(metrics.lost_events.clone());
    let events = Events::new(events, "linkerd", false);
    let reviewer = Arc::new(FakeReviewer::foo());
    let service = Service::new(config(hands.clock()), current, reviewer, events, metrics);
    let mut watch = service.watch(Some(followed), &tasks);
    watch.look();
    Fixture { folder, root, watch, service, objects, events: receiver, hands, tasks }
}

impl Fixture {
    /// Subject of the issuer that signs now.
    async fn issuer(&self) -> Result<String, Denied> {
        let leaf = self.service.certify(request(FOO, csr(FOO).der())).await?.leaf.der;
        Ok(x509_parser::parse_x509_certificate(&leaf).unwrap().1.issuer().to_string())
    }

    fn write(&self, certificate: &Made, key: &Made) {
        write(self.folder.path(), certificate, key);
    }

    /// The message of the next event, which has this reason.
    fn event(&mut self, reason: &str) -> String {
        let event = self.events.try_recv().unwrap();
        assert_eq!(event.reason, reason, "{}", event.message);
        event.message
    }

    /// Looks twice, as refusals are told when files have settled.
    fn look(&mut self) {
        self.watch.look();
        self.watch.look();
    }
}

// Cases 27, 29 and 36.
#[tokio::test]
async fn other_credentials_are_in_force_for_the_next_request() {
    let mut fixture = fixture();
    assert_eq!(fixture.issuer().await.unwrap(), "CN=first");
    let second = ca("second").until(start() + hours(100)).signed_by(&fixture.root);
    fixture.write(&second, &second);
    fixture.watch.look();
    assert_eq!(fixture.issuer().await.unwrap(), "CN=second");
    fixture.event("IssuerUpdated");
    assert!(fixture.tasks.metrics.encode().contains("issuer_cert_ttl_seconds 360000.0\n"));
    fixture.write(&second, &second);
    fixture.look();
    assert!(fixture.events.try_recv().is_err(), "equal content is no update");
}

// Cases 28 and 46.
#[tokio::test]
async fn bad_credentials_leave_the_issuer_in_force() {
    let mut fixture = fixture();
    let other = ca("other").signed_by(&fixture.root);
    let expired = ca("expired").until(start() - hours(1) / 2).signed_by(&fixture.root);
    let leaf = ca("leaf").with(|params| params.is_ca = rcgen::IsCa::ExplicitNoCa).signed_by(&fixture.root);
    let rsa = ca_with("rsa", rsa_key()).signed_by(&fixture.root);
    let stranger = ca("stranger").self_signed();
    for (certificate, key, reason) in [
        (&other, &expired, "Public and private key do not match"),
        (&expired, &expired, "not valid anymore"),
        (&leaf, &leaf, "not a CA"),
        (&rsa, &rsa, "instead RSA was used"),
        (&stranger, &stranger, "do not verify"),
    ] {
        fixture.write(certificate, key);
        fixture.look();
        fixture.look();
        let error = fixture.event("IssuerUpdateSkipped");
        assert!(error.contains(reason), "{error}");
        assert!(fixture.events.try_recv().is_err(), "told once");
        assert_eq!(fixture.issuer().await.unwrap(), "CN=first");
    }
    std::fs::remove_file(fixture.folder.path().join("key.pem")).unwrap();
    fixture.look();
    let error = fixture.event("IssuerUpdateSkipped");
    assert!(error.contains(": cannot read ") && error.ends_with("key.pem: entity not found"), "{error}");
    assert!(fixture.tasks.readiness.pending().is_empty());
    fixture.write(&other, &other);
    fixture.look();
    assert_eq!(fixture.issuer().await.unwrap(), "CN=other");
}

#[tokio::test]
async fn files_that_are_being_written_are_not_complained_about() {
    let mut fixture = fixture();
    let second = ca("second").signed_by(&fixture.root);
    std::fs::write(fixture.folder.path().join("crt.pem"), second.pem()).unwrap();
    fixture.watch.look();
    fixture.write(&second, &second);
    fixture.watch.look();
    fixture.event("IssuerUpdated");
}

#[tokio::test]
async fn credentials_that_become_valid_later_are_taken_then() {
    let mut fixture = fixture();
    let early = ca("early").valid(start() + hours(1), start() + hours(1000)).signed_by(&fixture.root);
    fixture.write(&early, &early);
    fixture.look();
    assert_eq!(fixture.issuer().await.unwrap(), "CN=first");
    fixture.hands.set(start() + hours(1));
    fixture.look();
    assert_eq!(fixture.issuer().await.unwrap(), "CN=early");
}

#[tokio::test]
async fn other_trust_anchors_are_followed_too() {
    let mut fixture = fixture();
    let new_root = ca("new root").self_signed();
    let bundle = fixture.folder.path().join("ca-bundle.crt");
    std::fs::write(&bundle, new_root.pem()).unwrap();
    fixture.look();
    fixture.event("IssuerUpdateSkipped");
    std::fs::write(&bundle, fixture.root.pem() + &new_root.pem()).unwrap();
    fixture.look();
    fixture.event("IssuerUpdated");
    let metrics = fixture.tasks.metrics.encode();
    for expected in ["position=\"1\",subject=\"CN=root\"", "position=\"2\",subject=\"CN=new root\""] {
        assert!(metrics.contains(expected), "{expected} in {metrics}");
    }
}

// "readiness fails before": see LEAST_LEAF for where it does and why not earlier.
#[tokio::test]
async fn readiness_ends_before_the_issuer_does_and_comes_back_with_a_new_one() {
    let mut fixture = fixture();
    let short = ca("short").until(start() + hours(10)).signed_by(&fixture.root);
    fixture.write(&short, &short);
    fixture.look();
    fixture.hands.set(start() + hours(10) - LEAST_LEAF);
    fixture.look();
    assert!(fixture.tasks.readiness.pending().is_empty(), "short certificates are better than none");
    fixture.hands.set(start() + hours(10) - LEAST_LEAF + Duration::from_secs(1));
    fixture.look();
    assert_eq!(fixture.tasks.readiness.pending(), ["identity issuer: it is about to expire; replace it"]);
    fixture.hands.set(start() + hours(11));
    fixture.look();
    assert!(fixture.tasks.readiness.pending()[0].contains("do not verify"));
    let new = ca("new").signed_by(&fixture.root);
    fixture.write(&new, &new);
    fixture.look();
    assert!(fixture.tasks.readiness.pending().is_empty());
}

#[tokio::test]
async fn the_end_of_the_issuer_is_warned_of_a_whole_leaf_before_and_again_at_half() {
    let mut fixture = fixture();
    let end = start() + hours(100);
    let short = ca("short").until(end).signed_by(&fixture.root);
    fixture.write(&short, &short);
    fixture.look();
    fixture.event("IssuerUpdated");
    let soon = |fixture: &Fixture| fixture.tasks.metrics.encode().contains("identity_issuer_expires_soon 1\n");
    fixture.hands.set(end - hours(24));
    fixture.look();
    assert!(fixture.events.try_recv().is_err() && !soon(&fixture), "leaves are whole");
    fixture.hands.set(end - hours(24) + Duration::from_secs(1));
    fixture.look();
    assert!(fixture.event("IssuerExpiresSoon").contains(&end.to_string()));
    assert!(soon(&fixture));
    fixture.look();
    assert!(fixture.events.try_recv().is_err(), "told once");
    fixture.hands.set(end - hours(23));
    fixture.look();
    fixture.event("IssuerExpiresSoon");
    fixture.hands.set(end - hours(12) - Duration::from_secs(1));
    fixture.look();
    fixture.event("IssuerExpiresSoon");
    fixture.hands.set(end - hours(12) + Duration::from_secs(1));
    fixture.look();
    fixture.event("IssuerExpiresSoon");
    let new = ca("new").signed_by(&fixture.root);
    fixture.write(&new, &new);
    fixture.look();
    fixture.event("IssuerUpdated");
    assert!(!soon(&fixture));
}

#[tokio::test]
async fn trust_anchors_that_end_are_warned_of_like_the_issuer() {
    let mut fixture = fixture();
    let root = ca("short root").until(start() + hours(3)).self_signed();
    let own = ca("own").signed_by(&root);
    std::fs::write(fixture.folder.path().join("ca-bundle.crt"), root.pem() + &fixture.root.pem()).unwrap();
    fixture.write(&own, &own);
    fixture.look();
    fixture.event("IssuerUpdated");
    assert!(fixture.event("IssuerExpiresSoon").contains(&(start() + hours(3)).to_string()));
}

// Case 27, by the objects themselves: no kubelet is waited for.
#[tokio::test]
async fn what_was_seen_of_the_objects_counts_more_than_the_files() {
    let mut fixture = fixture();
    let second = ca("second").signed_by(&fixture.root);
    let secret = |certificate: &Made, key: &Made| {
        let data = [("crt.pem", certificate.pem()), ("key.pem", key.key().serialize_pem())];
        let data = data.map(|(name, text)| (name.to_owned(), k8s_openapi::ByteString(text.into_bytes())));
        k8s_openapi::api::core::v1::Secret { data: Some(data.into()), ..Default::default() }
    };
    let see = |fixture: &Fixture, secret: &k8s_openapi::api::core::v1::Secret| {
        fixture.objects.send_modify(|seen| seen.see_secret(secret, Scheme::Linkerd));
    };
    see(&fixture, &secret(&second, &second));
    fixture.watch.look();
    assert_eq!(fixture.issuer().await.unwrap(), "CN=second");
    fixture.event("IssuerUpdated");
    // The kubelet comes later, with the same.
    fixture.write(&second, &second);
    fixture.look();
    assert!(fixture.events.try_recv().is_err());
    see(&fixture, &secret(&second, &fixture.root));
    fixture.look();
    assert!(fixture.event("IssuerUpdateSkipped").contains("do not match"));
    assert_eq!(fixture.issuer().await.unwrap(), "CN=second");
    see(&fixture, &Default::default());
    fixture.look();
    assert!(fixture.event("IssuerUpdateSkipped").ends_with("it has no key crt.pem"));
}

// Case 31.
#[test]
fn without_a_trusted_issuer_there_is_no_start() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Hands::new().clock());
    let path = folder.path();
    let load = || {
        let current = CurrentAuthority::default();
        let seen = watch::channel(Seen::default()).1;
        Followed::load(files(path), seen, FOO.to_owned(), &current, &clock).err().map(|error| error.to_string())
    };
    let own = ca("own").self_signed();
    write(path, &own, &own);
    assert!(load().unwrap().starts_with(&format!("cannot read {}", path.join("ca-bundle.crt").display())));
    std::fs::write(path.join("ca-bundle.crt"), "").unwrap();
    assert_eq!(load().unwrap(), "cannot read the trust anchors: No certificates found");
    std::fs::write(path.join("ca-bundle.crt"), ca("other").self_signed().pem()).unwrap();
    assert!(load().unwrap().contains("do not verify against the trust anchors"));
    std::fs::write(path.join("ca-bundle.crt"), own.pem()).unwrap();
    assert_eq!(load(), None);
}

// Case 30.
#[test]
fn the_scheme_names_the_files() {
    let folder = Path::new("/issuer");
    let names = |scheme: &str| {
        let files = IssuerFiles::new(scheme.parse().unwrap(), folder, Path::new("/roots"));
        (files.certificates.display().to_string(), files.key.display().to_string())
    };
    assert_eq!(names("linkerd.io/tls"), ("/issuer/crt.pem".to_owned(), "/issuer/key.pem".to_owned()));
    for scheme in ["kubernetes.io/tls", "other"] {
        assert_eq!(names(scheme), ("/issuer/tls.crt".to_owned(), "/issuer/tls.key".to_owned()));
    }
}
