use super::*;
use crate::testing::{bad, good};

fn account_of(username: &str) -> Result<ServiceAccount, TokenError> {
    good(username).service_account(RequiredAudience::Identity)
}

#[test]
fn a_good_token_proves_its_service_account() {
    let account = account_of("system:serviceaccount:ns1:foo").unwrap();
    let identity = account.identity("linkerd", "cluster.local");
    assert_eq!(identity.as_str(), "foo.ns1.serviceaccount.identity.linkerd.cluster.local");
}

// Case 22.
#[test]
fn other_usernames_prove_nothing() {
    for username in ["system:node:n1", "alice", "sys:serviceaccount:a:b", "", "system:serviceaccount:a:b:c"] {
        assert_eq!(account_of(username), Err(TokenError::Username(username.to_owned())));
    }
    let node = "system:node:a:b".to_owned();
    assert_eq!(account_of(&node), Err(TokenError::NoServiceAccount(node)));
}

// Cases 23 and 45.
#[test]
fn accounts_that_are_no_labels_have_no_identity() {
    let long = "a".repeat(64);
    for (account, bad) in [("ns1:my.sa", "my.sa"), ("n.s:sa", "n.s"), (&format!("ns1:{long}"), &long), ("ns1:", "")] {
        let error = account_of(&format!("system:serviceaccount:{account}")).unwrap_err();
        assert_eq!(error.to_string(), format!("Not a label: {bad}"));
    }
}

// Cases 20 and 21.
#[test]
fn an_error_counts_more_than_authentication() {
    let mut review = good("system:serviceaccount:ns1:foo");
    review.error = "boom".to_owned();
    assert_eq!(review.service_account(RequiredAudience::Any), Err(TokenError::Review("boom".to_owned())));
    assert_eq!(bad("").service_account(RequiredAudience::Any), Err(TokenError::Unauthenticated));
}

#[test]
fn a_reviewer_that_ignores_audiences_proves_nothing() {
    let mut review = good("system:serviceaccount:ns1:foo");
    review.audiences = vec!["https://kubernetes.default.svc".to_owned()];
    assert_eq!(review.service_account(RequiredAudience::Identity), Err(TokenError::Audience));
    assert!(review.service_account(RequiredAudience::Any).is_ok());
}
