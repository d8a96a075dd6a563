use super::*;
use crate::{
    core::{authorization::all_networks, identity::IdentityMatch},
    testing::{authentication, authorization_policy, mesh_tls, networks, pod, server, server_authorization},
};
use serde_json::json;
use std::collections::BTreeSet;

fn web() -> Index {
    let index = Index::new();
    index.apply(&pod("web")).apply(&server("s", "web", json!(80)).label("tier", "front"));
    index
}

fn only(index: &Index) -> Authorization {
    let mut policy = index.policy("web", 80);
    assert_eq!(policy.authorizations.len(), 1, "{:?}", policy.authorizations);
    policy.authorizations.remove(0)
}

fn identities(texts: &[&str]) -> Authentication {
    Authentication::TlsAuthenticated(texts.iter().map(|text| text.parse::<IdentityMatch>().unwrap()).collect())
}

/// Case 15.
#[test]
fn a_server_authorization_is_for_a_name_or_for_labels() {
    let index = web();
    let open = json!({"unauthenticated": true});
    index.apply(&server_authorization("name", json!({"name": "s"}), open.clone()));
    index.apply(&server_authorization("labels", json!({"selector": {"matchLabels": {"tier": "front"}}}), open.clone()));
    index.apply(&server_authorization("other", json!({"name": "t"}), open.clone()));
    index.apply(&server_authorization("back", json!({"selector": {"matchLabels": {"tier": "back"}}}), open));
    assert_eq!(allowed_by(&index.policy("web", 80)), ["saz labels", "saz name"]);
    let networks = &index.policy("web", 80).authorizations[0].networks;
    assert_eq!(networks, &["10.0.0.0/8".parse::<ipnet::IpNet>().unwrap().into()], "those of the cluster");
    // The Server's labels change, and with them who may connect.
    index.apply(&server("s", "web", json!(80)).label("tier", "back"));
    assert_eq!(allowed_by(&index.policy("web", 80)), ["saz back", "saz name"]);
}

/// Case 16.
#[test]
fn a_server_authorization_names_identities_and_service_accounts() {
    let index = web();
    let client = json!({"meshTLS": {"identities": ["*", "*.foo.bar", "a.b"],
        "serviceAccounts": [{"name": "own"}, {"name": "far", "namespace": "m"}]}, "networks": [{"cidr": "1.2.3.4"}]});
    index.apply(&server_authorization("a", json!({"name": "s"}), client));
    let expected = identities(&[
        "*",
        "*.foo.bar",
        "a.b",
        "own.n.serviceaccount.identity.linkerd.cluster.local",
        "far.m.serviceaccount.identity.linkerd.cluster.local",
    ]);
    assert_eq!(only(&index).authentication, expected);
    assert_eq!(only(&index).networks[0].cidr.to_string(), "1.2.3.4/32");
    let tls = json!({"meshTLS": {"unauthenticatedTLS": true}});
    index.apply(&server_authorization("a", json!({"name": "s"}), tls));
    assert_eq!(only(&index).authentication, Authentication::TlsUnauthenticated);
}

/// Case 92: an authorization that nobody understands any more is withdrawn.
#[test]
fn a_server_authorization_without_clients_lets_nobody_in() {
    let index = web();
    index.apply(&server_authorization("a", json!({"name": "s"}), json!({"unauthenticated": true})));
    let mut watch = index.watch("web", 80);
    assert_eq!(allowed_by(&watch.news().unwrap()), ["saz a"]);
    let edited = server_authorization("a", json!({"name": "s"}), json!({"networks": [{"cidr": "10.0.0.0/8"}]}));
    index.apply(&edited);
    assert_eq!(allowed_by(&watch.news().unwrap()), [""; 0]);
    assert_eq!(index.problems().len(), 1);
    index.apply(&server_authorization("a", json!({"name": "s"}), json!({"meshTLS": {}})));
    assert_eq!(allowed_by(&index.policy("web", 80)), [""; 0]);
    index.delete::<ServerAuthorization>("a");
    assert_eq!(index.problems(), [""; 0]);
}

/// Case 17.
#[test]
fn a_policy_needs_all_of_its_authentications() {
    let index = web();
    let references = json!([
        authentication("NetworkAuthentication", "net", "m"),
        authentication("MeshTLSAuthentication", "tls", "m")
    ]);
    let net = networks("net", "10.1.0.0/16").namespace("m");
    let tls = mesh_tls("tls", json!(["a.b"])).namespace("m");
    index.apply(&authorization_policy("p", "s", references)).apply(&net);
    let mut watch = index.watch("web", 80);
    assert_eq!(allowed_by(&watch.news().unwrap()), [""; 0]);
    assert_eq!(index.0.lock().missing_authentications(), ["MeshTLSAuthentication m/tls, for AuthorizationPolicy n/p"]);
    index.apply(&tls);
    let policy = watch.news().unwrap();
    assert_eq!(allowed_by(&policy), ["policy p"]);
    assert_eq!(policy.authorizations[0].authentication, identities(&["a.b"]));
    assert_eq!(policy.authorizations[0].networks[0].cidr.to_string(), "10.1.0.0/16");
    for _ in 0..2 {
        Sink::<NetworkAuthentication>::delete(&mut *index.0.lock(), &ObjectId::new("m", "net"));
        assert_eq!(allowed_by(&watch.news().unwrap()), [""; 0]);
        index.apply(&net);
        assert_eq!(allowed_by(&watch.news().unwrap()), ["policy p"]);
    }
    Sink::<MeshTlsAuthentication>::delete(&mut *index.0.lock(), &ObjectId::new("m", "tls"));
    assert_eq!(allowed_by(&watch.news().unwrap()), [""; 0]);
}

/// Case 18.
#[test]
fn a_policy_without_authentications_lets_everybody_in() {
    let index = web();
    index.apply(&authorization_policy("p", "s", json!([])));
    assert_eq!(only(&index).authentication, Authentication::Unauthenticated);
    assert_eq!(only(&index).networks, all_networks());
}

/// Case 19.
#[test]
fn a_policy_for_a_namespace_is_for_all_of_its_servers_and_for_nothing_else() {
    let index = web();
    index.apply(&server("t", "web", json!(81)));
    let target = |name: &str| json!({"kind": "Namespace", "name": name});
    index.apply(&authorization_policy("p", "", json!([])).spec("targetRef", target("n")));
    for port in [80, 81] {
        assert_eq!(allowed_by(&index.policy("web", port)), ["policy p"]);
    }
    assert_eq!(allowed_by(&index.policy("web", 82)), ["default all-unauthenticated"]);
}

/// Case 93: a policy for another namespace is for none.
#[test]
fn a_policy_for_another_namespace_is_ignored() {
    let index = web();
    index.apply(&server("t", "web", json!(80)).namespace("other"));
    let target = json!({"kind": "Namespace", "name": "other"});
    index.apply(&authorization_policy("p", "", json!([])).spec("targetRef", target));
    assert_eq!(allowed_by(&index.policy("web", 80)), [""; 0]);
    assert_eq!(index.problems(), ["AuthorizationPolicy n/p: cannot target another namespace: other"]);
}

/// Case 20.
#[test]
fn an_authentication_may_stand_for_service_accounts_and_namespaces() {
    let index = web();
    let references = json!([{"kind": "ServiceAccount", "name": "sa"}, {"kind": "ServiceAccount", "name": "far",
        "namespace": "m"}, {"kind": "Namespace", "name": "x"}]);
    let tls = mesh_tls("tls", json!([])).without("identities").spec("identityRefs", references);
    index.apply(&tls);
    index.apply(&authorization_policy("p", "s", json!([authentication("MeshTLSAuthentication", "tls", "")])));
    let expected = identities(&[
        "sa.n.serviceaccount.identity.linkerd.cluster.local",
        "far.m.serviceaccount.identity.linkerd.cluster.local",
        "*.x.serviceaccount.identity.linkerd.cluster.local",
    ]);
    assert_eq!(only(&index).authentication, expected);
    let suffix = ["x", "serviceaccount", "identity", "linkerd", "cluster", "local"].map(str::to_owned).to_vec();
    let Authentication::TlsAuthenticated(matches) = expected else { unreachable!() };
    assert!(matches.contains(&IdentityMatch::Suffix(suffix)));
}

/// An authentication that nobody understands lets nobody in, also after an edit.
#[test]
fn an_authentication_without_items_or_of_unknown_kinds_is_missing() {
    let index = web();
    let good = mesh_tls("tls", json!(["*"]));
    index.apply(&authorization_policy("p", "s", json!([authentication("MeshTLSAuthentication", "tls", "n")])));
    for bad in [
        mesh_tls("tls", json!([])),
        mesh_tls("tls", json!(["*"])).spec("identityRefs", json!([])),
        mesh_tls("tls", json!(null)).spec("identityRefs", json!([{"kind": "Pod", "name": "x"}])),
    ] {
        index.apply(&good);
        assert_eq!(allowed_by(&index.policy("web", 80)), ["policy p"]);
        index.apply(&bad);
        assert_eq!(allowed_by(&index.policy("web", 80)), [""; 0]);
        assert_eq!(index.problems().len(), 1);
    }
    index.apply(&authorization_policy("p", "s", json!([authentication("NetworkAuthentication", "net", "n")])));
    index.apply(&networks("net", "10.0.0.0/8").spec("networks", json!([])));
    assert_eq!(allowed_by(&index.policy("web", 80)), [""; 0]);
}

#[test]
fn a_service_account_is_an_authentication_whether_or_not_it_exists() {
    let index = web();
    index.apply(&authorization_policy("p", "s", json!([authentication("ServiceAccount", "bot", "m")])));
    assert_eq!(only(&index).authentication, identities(&["bot.m.serviceaccount.identity.linkerd.cluster.local"]));
}

/// An edit into a policy that nobody understands withdraws the old one.
#[test]
fn a_policy_that_asks_for_the_impossible_is_withdrawn() {
    let index = web();
    let mut watch = index.watch("web", 80);
    assert!(watch.news().is_some());
    let references = |kinds: &[&str]| {
        let references = kinds.iter().map(|kind| authentication(kind, "x", "n"));
        references.collect::<Vec<_>>().into()
    };
    for (kinds, reason) in [
        (&["MeshTLSAuthentication", "ServiceAccount"][..], "together"),
        (&["MeshTLSAuthentication", "MeshTLSAuthentication"], "two of either"),
        (&["NetworkAuthentication", "NetworkAuthentication"], "single NetworkAuthentication"),
        (&["Server"], "unsupported authentication kind(s): Server.policy.linkerd.io"),
    ] {
        index.apply(&authorization_policy("p", "s", json!([])));
        assert_eq!(allowed_by(&watch.news().unwrap()), ["policy p"]);
        index.apply(&authorization_policy("p", "s", references(kinds)));
        assert_eq!(allowed_by(&watch.news().unwrap()), [""; 0], "{kinds:?}");
        assert!(index.problems()[0].contains(reason), "{:?}", index.problems());
    }
    let pod_target = json!({"kind": "Pod", "name": "web"});
    index.apply(&authorization_policy("p", "s", json!([])).spec("targetRef", pod_target));
    assert_eq!(index.problems(), ["AuthorizationPolicy n/p: unsupported authorization target type: Pod"]);
}

/// Case 30, and the ideal order of 2.6.
#[test]
fn what_objects_allow_comes_before_the_access_policy() {
    let index = web();
    index.apply(&server("s", "web", json!(80)).spec("accessPolicy", json!("audit")));
    index.apply(&server_authorization("b", json!({"name": "s"}), json!({"unauthenticated": true})));
    index.apply(&authorization_policy("z", "s", json!([]))).apply(&authorization_policy("a", "s", json!([])));
    assert_eq!(allowed_by(&index.policy("web", 80)), ["policy a", "policy z", "saz b", "default audit"]);
}

/// A policy may move from one Server to another; both hear of it, and nobody else.
#[test]
fn a_retargeted_policy_reaches_both_servers() {
    let index = web();
    index.apply(&server("t", "web", json!(81))).apply(&authorization_policy("p", "s", json!([])));
    let mut watches: Vec<Watch> = [80, 81, 82].map(|port| index.watch("web", port)).into();
    assert!(watches.iter_mut().all(|watch| watch.news().is_some()));
    index.apply(&authorization_policy("p", "t", json!([])));
    let news: Vec<_> = watches.iter_mut().map(|watch| watch.news().map(|policy| allowed_by(&policy))).collect();
    assert_eq!(news, [Some(vec![]), Some(vec!["policy p".to_owned()]), None]);
    let dependents: BTreeSet<_> =
        index.0.lock().authentications.missing().into_iter().map(|(id, _)| id.clone()).collect();
    assert!(dependents.is_empty());
}
