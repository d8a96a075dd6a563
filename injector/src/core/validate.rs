//! Values that are checked together with others, or that no annotation can change.

use crate::core::{
    settings::{self, Settings},
    timeouts,
    tuning::Tuning,
    values::{Streams, Values},
};
use linkerd_k8s::identity::is_dns_subdomain;

/// Values that cannot be used, with every mistake in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the values cannot be used: {}", .0.join("; "))]
pub struct InvalidValues(pub Vec<String>);

/// Values after all checks.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Settings of a pod without annotations.
    pub settings: Settings,
    /// Limits of streams to the control plane, in the proxy's own form.
    pub streams: Streams,
    /// Tuning variables.
    pub tuning: Vec<Tuning>,
    /// Networks inside the cluster, comma-joined without spaces.
    pub cluster_networks: String,
}

/// Checks values.
///
/// # Errors
/// All mistakes at once, each by the path of its value.
pub fn check(values: &Values) -> Result<Checked, InvalidValues> {
    let mut mistakes = Vec::new();
    let settings = Settings::from_values(values, &mut |mistake| mistakes.push(mistake));
    check_names(values, &mut mistakes);
    let cluster_networks = check_networks(values, &settings, &mut mistakes);
    check_init(values, &settings, &mut mistakes);
    check_tracing(values, &mut mistakes);
    let streams = check_streams(&values.proxy.control.streams, &mut mistakes);
    let tuning = Tuning::collect(&values.proxy, &mut mistakes);
    if mistakes.is_empty() {
        Ok(Checked { settings, streams, tuning, cluster_networks })
    } else {
        Err(InvalidValues(mistakes))
    }
}

fn check_names(values: &Values, mistakes: &mut Vec<String>) {
    for (path, domain) in
        [("clusterDomain", values.cluster_domain.as_str()), ("identityTrustDomain", values.trust_domain())]
    {
        if !is_dns_subdomain(domain) {
            mistakes.push(format!("{path}: {domain:?} is not a DNS name such as cluster.local"));
        }
    }
}

fn check_networks(values: &Values, settings: &Settings, mistakes: &mut Vec<String>) -> String {
    let (networks, bad) = settings::networks(&values.cluster_networks);
    for item in bad {
        mistakes.push(format!("clusterNetworks: {item:?} is not a network such as 10.0.0.0/8"));
    }
    if networks.is_empty() && needs_networks(&settings.default_inbound_policy) {
        mistakes.push(format!(
            "proxy.defaultInboundPolicy: {} needs clusterNetworks, which is empty",
            settings.default_inbound_policy
        ));
    }
    networks.join(",")
}

/// Whether a policy makes the proxy exit at start when it knows no cluster networks.
pub fn needs_networks(policy: &str) -> bool {
    policy == "audit" || policy.starts_with("cluster-")
}

fn check_init(values: &Values, settings: &Settings, mistakes: &mut Vec<String>) {
    let init = &values.proxy_init;
    if !["nft", "legacy"].contains(&init.iptables_mode.as_str()) {
        mistakes.push(format!("proxyInit.iptablesMode: {:?} is neither nft nor legacy", init.iptables_mode));
    }
    if settings.close_wait_seconds > 0 && !init.run_as_root {
        mistakes.push("proxyInit.closeWaitTimeoutSecs: needs proxyInit.runAsRoot to be true".to_owned());
    }
}

fn check_tracing(values: &Values, mistakes: &mut Vec<String>) {
    let tracing = &values.proxy.tracing;
    if !tracing.enabled {
        return;
    }
    let collector = &tracing.collector;
    for (path, text) in [
        ("endpoint", &collector.endpoint),
        ("meshIdentity.serviceAccountName", &collector.mesh_identity.service_account_name),
        ("meshIdentity.namespace", &collector.mesh_identity.namespace),
    ] {
        if text.is_empty() {
            mistakes.push(format!("proxy.tracing.collector.{path}: must be set when tracing is enabled"));
        }
    }
}

/// The proxy takes the limits only in order, and a missing one changes the meaning of the others.
fn check_streams(streams: &Streams, mistakes: &mut Vec<String>) -> Streams {
    let limits = [
        ("initialTimeout", &streams.initial_timeout),
        ("idleTimeout", &streams.idle_timeout),
        ("lifetime", &streams.lifetime),
    ];
    if limits.iter().all(|(_, text)| text.is_empty()) {
        return streams.clone();
    }
    let path = |name: &str| format!("proxy.control.streams.{name}");
    let mut read = Vec::new();
    for (name, text) in limits {
        match timeouts::for_proxy(text) {
            Ok(text) => read.push(text),
            Err(error) if text.is_empty() => {
                mistakes.push(format!("{}: set all three limits or none; {}", path(name), error.expected()));
            }
            Err(error) => mistakes.push(format!("{}: {text:?} is not {}", path(name), error.expected())),
        }
    }
    let lengths: Vec<_> = read.iter().filter_map(|text| linkerd_k8s::duration::parse_single_unit(text)).collect();
    if !lengths.is_sorted() {
        mistakes.push(format!("{}: must not exceed idleTimeout, nor that lifetime", path("initialTimeout")));
    }
    match <[String; 3]>::try_from(read) {
        Ok([initial_timeout, idle_timeout, lifetime]) => Streams { initial_timeout, idle_timeout, lifetime },
        Err(_) => streams.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(yaml: &str) -> Vec<String> {
        check(&Values::from_yaml(yaml).unwrap()).err().map_or_else(Vec::new, |error| error.0)
    }

    #[test]
    fn the_defaults_have_no_mistake() {
        assert!(check(&Values::default()).is_ok());
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let yaml = "
clusterNetworks: 10.0.0.0/8,x
proxy:
  image: {name: 'a b', version: '-', pullPolicy: Sometimes}
  ports: {admin: 70000}
  uid: 0
  opaquePorts: 25,smtp
  logHTTPHeaders: on
  defaultInboundPolicy: foo
  inboundConnectTimeout: 100
  waitBeforeExitSeconds: -1
  resources: {cpu: {request: '-'}}
  runtime: {workers: {maximumCPURatio: 2}}
proxyInit: {iptablesMode: plain, closeWaitTimeoutSecs: 5, skipSubnets: 1.1.1.1/99}
";
        let mistakes = mistakes(yaml);
        assert_eq!(mistakes.len(), 16, "{mistakes:#?}");
    }

    // Acceptance case 55.
    #[test]
    fn tracing_needs_an_endpoint_and_an_identity() {
        let error = mistakes("proxy: {tracing: {enabled: true, collector: {endpoint: 'c:4317'}}}");
        assert_eq!(error.len(), 2);
        assert_eq!(
            error[0],
            "proxy.tracing.collector.meshIdentity.serviceAccountName: must be set when tracing is enabled"
        );
        assert_eq!(mistakes("proxy: {tracing: {enabled: true}}").len(), 3);
    }

    // Acceptance cases 27 and 51 of the proxy's contract.
    #[test]
    fn combinations_that_the_proxy_refuses_are_refused_here() {
        assert_eq!(mistakes("{clusterNetworks: '', proxy: {defaultInboundPolicy: audit}}").len(), 1);
        assert_eq!(mistakes("{clusterNetworks: ''}").len(), 0);
        assert_eq!(mistakes("proxy: {control: {streams: {idleTimeout: '', lifetime: ''}}}").len(), 2);
        assert_eq!(mistakes("proxy: {control: {streams: {initialTimeout: 10m}}}").len(), 1);
        let none = "proxy: {control: {streams: {initialTimeout: '', idleTimeout: '', lifetime: ''}}}";
        assert_eq!(mistakes(none).len(), 0);
    }

    // Acceptance case 28 of the proxy's contract.
    #[test]
    fn durations_reach_the_proxy_in_its_own_form() {
        let yaml = "proxy: {inboundConnectTimeout: 1.5s, control: {streams: {idleTimeout: 1m30s}}}";
        let checked = check(&Values::from_yaml(yaml).unwrap()).unwrap();
        assert_eq!(checked.settings.timeouts.inbound_connect, "1500ms");
        assert_eq!(checked.streams.idle_timeout, "90000ms");
    }
}
