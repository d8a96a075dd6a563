use super::*;
use crate::testing::{FOO, start};

// Case 37.
#[test]
fn an_issued_certificate_is_an_event_of_its_account() {
    let account = ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() };
    let issued = Occurrence::IssuedLeafCertificate {
        account,
        identity: FOO.to_owned(),
        not_after: start(),
        fingerprint: "00ff".to_owned(),
    };
    let event = issued.event("linkerd");
    assert_eq!(event.object, reference("v1", "ServiceAccount", "ns1", "foo"));
    assert_eq!((event.kind, event.reason), (EventKind::Normal, "IssuedLeafCertificate"));
    assert_eq!(event.message, format!("issued certificate for {FOO} until 2026-03-01T12:00:00Z: 00ff"));
    assert_eq!(event.repeats, Repeats::SameReason, "one event for all certificates of an account");
}

// Cases 26, 27 and 28.
#[test]
fn events_about_the_issuer_are_those_of_the_deployment() {
    let error = "boom".to_owned();
    let failed = Occurrence::IssuerValidationFailed { error: error.clone(), identity: FOO.to_owned() };
    let skipped = "Skipping issuer update as certs could not be read from disk: boom".to_owned();
    for (occurrence, kind, reason, message) in [
        (Occurrence::IssuerUpdated, EventKind::Normal, "IssuerUpdated", "Updated identity issuer".to_owned()),
        (Occurrence::IssuerUpdateSkipped { error }, EventKind::Warning, "IssuerUpdateSkipped", skipped),
        (failed, EventKind::Warning, "IssuerValidationFailed", format!("boom - CSR Identity : {FOO}")),
    ] {
        let event = occurrence.event("linkerd");
        assert_eq!((event.kind, event.reason, event.message), (kind, reason, message));
        assert_eq!(event.object, reference("apps/v1", "Deployment", "linkerd", "linkerd-identity"));
    }
    let soon = Occurrence::IssuerExpiresSoon { end: start() }.event("linkerd");
    assert_eq!((soon.kind, soon.reason), (EventKind::Warning, "IssuerExpiresSoon"));
    assert!(soon.message.contains("end at 2026-03-01T12:00:00Z"), "{}", soon.message);
}

#[test]
fn issuance_is_told_only_where_somebody_listens_and_wants_it() {
    let wanted = |sink: events::Events, on_issuance| Events::new(sink, "linkerd", on_issuance).are_wanted_on_issuance();
    let queued = || events::Events::queued(prometheus_client::metrics::counter::Counter::default()).0;
    assert!(wanted(queued(), true));
    assert!(!wanted(queued(), false));
    assert!(!wanted(events::Events::none(), true));
}
