use super::*;
use linkerd_controller::args::parse;
use std::ffi::OsString;

fn args(flags: &[&str]) -> Args {
    let name = ["linkerd-identity", "identity"];
    parse(name.iter().chain(flags).map(OsString::from), "identity").unwrap()
}

/// The settings of flags added to those that are needed.
fn settings(flags: &[&str]) -> Result<Settings, Vec<String>> {
    let needed =
        ["-controller-namespace=linkerd", "-identity-scheme=linkerd.io/tls", "-identity-trust-domain=cluster.local"];
    let flags: Vec<&str> = needed.iter().chain(flags).copied().collect();
    args(&flags).settings().map(Option::unwrap).map_err(|error| error.0)
}

#[test]
fn every_flag_of_existing_manifests_is_taken() {
    let settings = settings(&[
        "-addr=:8080",
        "-admin-addr=:9990",
        "-identity-issuance-lifetime=24h0m0s",
        "-identity-clock-skew-allowance=20s",
        "-issuer=/issuer",
        "-kubeconfig=",
        "-enable-pprof=false",
        "-kube-apiclient-qps=100",
        "-kube-apiclient-burst=200",
        "-trace-collector=",
        "-log-level=info",
        "-log-format=plain",
    ])
    .unwrap();
    let expected = Lifetimes { lifetime: Duration::from_secs(86_400), clock_skew: Duration::from_secs(20) };
    assert_eq!(settings.config.lifetimes, expected);
    assert_eq!(settings.files.key, PathBuf::from("/issuer/key.pem"));
    assert_eq!(settings.files.trust_anchors, PathBuf::from("/var/run/linkerd/identity/trust-roots/ca-bundle.crt"));
    assert_eq!(settings.config.accepted_tokens, AcceptedTokens::Projected);
    assert_eq!(
        settings.config.own_identity(),
        "linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local"
    );
}

// Case 32.
#[test]
fn without_scheme_or_trust_domain_identity_is_disabled() {
    assert!(args(&[]).settings().unwrap().is_none());
    assert!(args(&["-identity-scheme=linkerd.io/tls"]).settings().unwrap().is_none());
    assert!(args(&["-identity-scheme=", "-identity-trust-domain=a.b"]).settings().unwrap().is_none());
}

// Case 41.
#[test]
fn a_skew_of_zero_is_the_default() {
    let skew = |flag: &str| settings(&[flag]).unwrap().config.lifetimes.clock_skew;
    assert_eq!(skew("-identity-clock-skew-allowance=0s"), Duration::from_secs(10));
    assert_eq!(skew("-identity-clock-skew-allowance=1m"), Duration::from_secs(60));
}

// Cases 41 and 48.
#[test]
fn bad_durations_are_refused() {
    for (flag, what) in [
        ("-identity-clock-skew-allowance=-5s", "-5s is negative"),
        ("-identity-clock-skew-allowance=soon", "invalid duration"),
        ("-identity-issuance-lifetime=-24h", "-24h is negative"),
        ("-identity-issuance-lifetime=0s", "must be longer than zero"),
        ("-identity-issuance-lifetime=24", "missing unit"),
    ] {
        let mistakes = settings(&[flag]).unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].contains(what), "{mistakes:?}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let flags = ["-identity-scheme=x", "-identity-trust-domain=A..b", "-controller-namespace=a.b"];
    let durations = ["-identity-issuance-lifetime=x", "-identity-clock-skew-allowance=y"];
    let flags: Vec<&str> = flags.into_iter().chain(durations).collect();
    let mistakes = args(&flags).settings().unwrap_err().0;
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
}
