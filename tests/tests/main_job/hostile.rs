//! Objects and requests that nobody in their right mind would write: `linkerd-destination` lives on, stays
//! ready, and its other streams go on.

use anyhow::{Context, Result, ensure};
use linkerd_proto::destination::{DestinationProfile, GetDestination, destination_client::DestinationClient};
use linkerd_tests::apiserver::ApiServer;
use linkerd_tests::cluster::Cluster;
use linkerd_tests::process::Process;
use rustix::process::Signal;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::endpoints::{Endpoints, address, destination, slice, web};
use crate::setup::{DEADLINE, DOMAIN, Service, channel, cluster, define};

/// Opens a stream of profiles; its first message.
async fn profile(channel: &Channel, path: &str) -> Result<(DestinationProfile, Streaming<DestinationProfile>)> {
    let request = GetDestination { path: path.to_owned(), ..GetDestination::default() };
    let mut stream = DestinationClient::new(channel.clone()).get_profile(request).await?.into_inner();
    let first = next(&mut stream).await.with_context(|| format!("GetProfile {path}"))?;
    Ok((first, stream))
}

async fn next(stream: &mut Streaming<DestinationProfile>) -> Result<DestinationProfile> {
    tokio::time::timeout(DEADLINE, stream.message()).await??.context("the stream ended")
}

/// Something that runs, a Service whose endpoints are watched, and a way to see that both are well.
struct Subject {
    process: Process,
    channel: Channel,
    cluster: Cluster,
    namespace: String,
    path: String,
    endpoints: Endpoints,
    changes: usize,
}

impl Subject {
    async fn start(server: &ApiServer, cluster: Cluster) -> Result<Self> {
        let (namespace, path) = web(&cluster).await?;
        slice(&cluster, &namespace, &[1, 2]).await?;
        let Service { process, address: listening } = destination(server.kubeconfig())?;
        let (process, channel) = (process.start(DEADLINE).await?, channel(listening)?);
        let mut endpoints = Endpoints::get(channel.clone(), &path).await?;
        endpoints.become_(&[address(1), address(2)]).await?;
        Ok(Self { process, channel, cluster, namespace, path, endpoints, changes: 0 })
    }

    /// The process runs and is ready, and a stream that was open before hears of a change.
    async fn is_well(&mut self) -> Result<()> {
        self.process.ensure_running()?;
        self.changes += 1;
        let hosts: &[u8] = if self.changes.is_multiple_of(2) { &[1, 2] } else { &[1, 3] };
        slice(&self.cluster, &self.namespace, hosts).await?;
        let expected: Vec<_> = hosts.iter().map(|host| address(*host)).collect();
        self.endpoints.become_(&expected).await?;
        let ready = self.process.admin_get("/ready").await?;
        ensure!(ready.status == 200, "/ready: {} {}", ready.status, ready.body);
        self.process.ensure_running()
    }

    async fn apply(&mut self, object: Value) -> Result<()> {
        let shown = format!("{:.300}", object.to_string());
        self.cluster.apply_object(&self.namespace, object).await.with_context(|| shown.clone())?;
        self.is_well().await.with_context(|| format!("after {shown}"))
    }

    async fn get(&self, path: &str) -> Result<()> {
        Endpoints::get(self.channel.clone(), path).await.map(drop)
    }
}

fn object(api_version: &str, kind: &str, name: &str, more: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    merge(&mut object, more);
    object
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            more.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, more) => *into = more,
    }
}

fn slice_of_web(name: &str, more: Value) -> Value {
    let labels = json!({"metadata": {"labels": {"kubernetes.io/service-name": "web-svc"}}, "addressType": "IPv4"});
    let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", name, labels);
    merge(&mut slice, more);
    slice
}

fn pod(name: &str, more: Value) -> Value {
    let containers = json!({"spec": {"serviceAccountName": "default", "containers": [{"name": "c", "image": "c"}]},
        "status": {"phase": "Running", "podIP": "10.1.2.9", "podIPs": [{"ip": "10.1.2.9"}]}});
    let mut pod = object("v1", "Pod", name, containers);
    merge(&mut pod, more);
    pod
}

fn owner(kind: &str, name: &str) -> Value {
    let uid = format!("00000000-0000-0000-0000-{:012}", 100 * kind.len() + name.len());
    json!({ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid })
}

/// Slices that are odd and that an API server takes.
fn odd_slices() -> Vec<Value> {
    let bare = |addresses: Value| json!({ "addresses": addresses });
    let to = |kind: &str, namespace: &str, name: &str| json!({"addresses": ["10.1.2.77"], "targetRef": {"kind": kind, "namespace": namespace, "name": name}});
    let many: Vec<_> = (0..1000).map(|i| bare(json!([format!("10.200.{}.{}", i / 250, i % 250)]))).collect();
    let mut unreadable =
        vec![to("Pod", "", "web-1"), to("Pod", "elsewhere", "web-1"), to("Pod", "", ""), to("", "", "")];
    unreadable.extend([to("Node", "", "n"), to("ExternalWorkload", "", "none"), to("Pod", "", "none")]);
    vec![
        slice_of_web("no-number", json!({"ports": [{"name": "http"}], "endpoints": [bare(json!(["10.1.2.60"]))]})),
        slice_of_web("no-ports", json!({"endpoints": [bare(json!(["10.1.2.61"]))]})),
        slice_of_web("udp", json!({"ports": [{"name": "http", "port": 65535, "protocol": "UDP"}], "endpoints": []})),
        slice_of_web("names", json!({"addressType": "FQDN", "endpoints": [bare(json!(["example.com"]))]})),
        slice_of_web(
            "targets",
            json!({"ports": [{"name": "x", "port": 1}],
            "endpoints": unreadable}),
        ),
        slice_of_web("many", json!({"ports": [{"name": "many", "port": 1}], "endpoints": many})),
        slice_of_web(
            "twice",
            json!({"ports": [{"name": "twice", "port": 1}],
            "endpoints": [bare(json!(["10.1.2.1"])), bare(json!(["10.1.2.1"])), bare(json!(["10.1.2.1", "10.1.2.2"]))]}),
        ),
        slice_of_web(
            "hints",
            json!({"ports": [{"name": "x", "port": 1}], "endpoints": [{
            "addresses": ["10.1.2.62"], "conditions": {"ready": null, "serving": true, "terminating": true},
            "zone": "z", "nodeName": "n", "hostname": "h", "hints": {"forZones": [{"name": "z"}]}}]}),
        ),
        slice_of_web(
            "mirror",
            json!({"metadata": {"labels": {"mirror.linkerd.io/cluster-name": "east"},
            "annotations": {"mirror.linkerd.io/remote-gateway-identity": "\u{0}..\n \"é", "mirror.linkerd.io/remote-svc-fq-name": "...."}},
            "ports": [{"name": "x", "port": 1}], "endpoints": [bare(json!(["10.1.2.63"]))]}),
        ),
        object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "nobodys",
            json!({"addressType": "IPv6",
            "endpoints": [bare(json!(["fd00::1"]))]}),
        ),
        object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "by-owners",
            json!({"addressType": "IPv4", "endpoints": [],
            "metadata": {"ownerReferences": [owner("Service", "none"), owner("EndpointSlice", "by-owners")]}}),
        ),
    ]
}

/// Pods and their owners that are odd and that an API server takes.
fn odd_workloads() -> Vec<Value> {
    let listens = |value: &str| {
        let names = ["INBOUND", "ADMIN", "CONTROL"].map(|name| format!("LINKERD2_PROXY_{name}_LISTEN_ADDR"));
        let env = names.map(|name| json!({ "name": name, "value": value }));
        json!({"metadata": {"labels": {"linkerd.io/control-plane-ns": "linkerd"}},
            "spec": {"containers": [{"name": "linkerd-proxy", "image": "p", "env": env}]}})
    };
    let replica_set = |name: &str, of: &str| {
        let template =
            json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "c"}]}});
        object(
            "apps/v1",
            "ReplicaSet",
            name,
            json!({"metadata": {"ownerReferences": [owner("ReplicaSet", of)]},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}}),
        )
    };
    // As much as an object's annotations may have.
    let long = "x,".repeat(127 * 1024);
    let annotated = |key: &str, value: &str| json!({"metadata": {"annotations": { key: value }}});
    vec![
        pod("long", annotated("config.linkerd.io/opaque-ports", &long)),
        pod("ranges", annotated("config.linkerd.io/opaque-ports", "99999,5-1,-,0-65535,,1-2-3, 80 ,é")),
        pod("skipped", annotated("config.linkerd.io/skip-inbound-ports", "0-65535,x")),
        pod("no-address", listens("nonsense")),
        pod("no-port", listens("0.0.0.0:99999")),
        pod("zero", listens("0.0.0.0:0")),
        // The address of another pod, which is then nobody's.
        pod("twin", json!({"status": {"podIP": "10.1.2.1", "podIPs": [{"ip": "10.1.2.1"}, {"ip": "fd00::1"}]}})),
        pod(
            "hosted",
            json!({"spec": {"hostNetwork": true, "containers": [{"name": "c", "image": "c",
            "ports": [{"containerPort": 1, "hostPort": 1}, {"containerPort": 65535, "hostPort": 65535}]}]},
            "status": {"hostIP": "10.1.2.1", "hostIPs": [{"ip": "10.1.2.1"}]}}),
        ),
        pod("own-owner", json!({"metadata": {"ownerReferences": [owner("Pod", "own-owner")]}})),
        pod("two-owners", json!({"metadata": {"ownerReferences": [owner("ReplicaSet", "a"), owner("Job", "a")]}})),
        replica_set("a", "b"),
        replica_set("b", "a"),
        pod("in-a-circle", json!({"metadata": {"ownerReferences": [owner("ReplicaSet", "a")]}})),
        object(
            "workload.linkerd.io/v1beta1",
            "ExternalWorkload",
            "vm",
            json!({
            "metadata": {"annotations": {"config.linkerd.io/opaque-ports": "none-of-these"}},
            "spec": {"meshTLS": {"identity": "not a uri", "serverName": "not a name"},
                     "workloadIPs": [{"ip": "10.1.2.1"}], "ports": [{"port": 8080}, {"port": 8080, "name": "again"}]}}),
        ),
    ]
}

/// Services and what belongs to them, odd, and as an API server takes them.
fn odd_services() -> Vec<Value> {
    let ports = json!([{"name": "udp", "port": 80, "protocol": "UDP"}, {"name": "tcp", "port": 80}]);
    let service = |name: &str, more: Value| {
        let mut service = object("v1", "Service", name, json!({"spec": {"clusterIP": "None", "ports": ports}}));
        merge(&mut service, more);
        service
    };
    let deep = (0..60).fold(json!({"method": "GET"}), |child, _| json!({ "not": child }));
    let routes = json!([{"name": "(", "condition": {"pathRegex": "("}}, {"name": "deep", "condition": {"all": [deep]}},
        {"name": "range", "condition": {"any": []}, "timeout": "forever",
         "responseClasses": [{"condition": {"status": {"min": 99999, "max": 1}}}]}]);
    vec![
        service(
            "long",
            json!({"metadata": {"annotations": {"config.linkerd.io/opaque-ports": "tcp,".repeat(60_000)}}}),
        ),
        service("alone", json!({"metadata": {"labels": {"multicluster.linkerd.io/remote-discovery": "nowhere"}}})),
        service(
            "many",
            json!({"metadata": {"annotations": {
            "multicluster.linkerd.io/remote-discovery": "@,,a@b@c,x@nowhere,many@nowhere",
            "multicluster.linkerd.io/local-discovery": "many"}}}),
        ),
        object("v1", "Service", "alias", json!({"spec": {"type": "ExternalName", "externalName": "example.com"}})),
        object(
            "policy.linkerd.io/v1beta3",
            "Server",
            "all",
            json!({
            "spec": {"podSelector": {}, "port": "no-such-port", "proxyProtocol": "opaque"}}),
        ),
        object(
            "policy.linkerd.io/v1beta3",
            "Server",
            "none",
            json!({
            "spec": {"externalWorkloadSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]},
                     "port": 65535, "proxyProtocol": "opaque"}}),
        ),
        object("linkerd.io/v1alpha2", "ServiceProfile", "..", json!({"metadata": {"name": "a.b"}, "spec": {}})),
        object(
            "linkerd.io/v1alpha2",
            "ServiceProfile",
            "x",
            json!({
            "metadata": {"name": format!("web-svc.elsewhere.svc.{DOMAIN}")},
            "spec": {"routes": routes, "opaquePorts": ["3306"], "dstOverrides": [{}, {"authority": "::::", "weight": "-1E9"}],
                     "retryBudget": {"retryRatio": 1e38, "minRetriesPerSecond": -5, "ttl": "eternal"}}}),
        ),
    ]
}

#[tokio::test]
async fn odd_objects_end_nothing_and_silence_nobody() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let mut subject = Subject::start(server, cluster).await?;
    for odd in [odd_slices(), odd_workloads(), odd_services()].into_iter().flatten() {
        subject.apply(odd).await?;
    }
    let name = |service: &str| format!("{service}.{}.svc.{DOMAIN}:80", subject.namespace);
    // Whatever is asked of them is answered, if only with a refusal.
    for (service, is_served) in
        [("web-svc", true), ("long", true), ("many", true), ("alone", false), ("alias", false), ("h.web-svc", true)]
    {
        let answer = subject.get(&name(service)).await;
        ensure!(answer.is_ok() == is_served, "Get {service}: {answer:?}");
    }
    for ip in ["10.1.2.9:1", "10.1.2.1:1", "10.1.2.1:65535", "10.1.2.1:8080", "[fd00::1]:80", "255.255.255.255:65535"] {
        let answer = profile(&subject.channel, ip).await;
        let is_conflict = answer.as_ref().err().is_some_and(|error| format!("{error:?}").contains("conflicting"));
        ensure!(answer.is_ok() || is_conflict, "GetProfile {ip}: {:?}", answer.err());
    }
    subject.is_well().await
}

#[tokio::test]
async fn odd_requests_are_refused_and_end_nothing() -> Result<()> {
    let (server, cluster) = cluster().await?;
    let mut subject = Subject::start(server, cluster).await?;
    let long = "a".repeat(100_000);
    let odd =
        ["", ":", "::", "[", "]", "[]:80", "[::1", ".:80", "....", "\u{0}", "é:80", &long, "a.b.svc.cluster.local:"];
    let mut client = DestinationClient::new(subject.channel.clone());
    for path in odd {
        for context_token in ["", "{", "[]", "null", "ns:", &long] {
            let request = || GetDestination {
                path: path.to_owned(),
                context_token: context_token.to_owned(),
                ..Default::default()
            };
            for code in [client.get(request()).await.err(), client.get_profile(request()).await.err()] {
                let code = code.map(|status| status.code());
                let is_refused = matches!(code, Some(Code::InvalidArgument | Code::NotFound | Code::ResourceExhausted));
                ensure!(is_refused, "{path:.20?} with {context_token:.20?}: {code:?}");
            }
        }
    }
    // A token is no reason to refuse an answer.
    for context_token in ["{", "[\"a\"]", "ns:a:b", "\u{0}", "{\"ns\":{}}"] {
        let request = GetDestination {
            path: subject.path.clone(),
            context_token: context_token.to_owned(),
            ..Default::default()
        };
        client.get(request).await.with_context(|| format!("with the token {context_token:?}"))?;
    }
    subject.is_well().await
}

/// The three inputs that ended the existing process: the name of an endpoint that is no pod, a slice's port
/// without a number, and the deletion of a Server that only a list shows (case 49).
#[tokio::test]
async fn what_crashed_another_is_harmless() -> Result<()> {
    let mut server = ApiServer::start().await?;
    let cluster = server.cluster().await?;
    define(&cluster).await?;
    let mut subject = Subject::start(&server, cluster.clone()).await?;
    let namespace = subject.namespace.clone();
    for odd in odd_workloads().into_iter().filter(|odd| odd["kind"] == "ExternalWorkload") {
        subject.apply(odd).await?;
    }
    let named = slice_of_web(
        "named",
        json!({"ports": [{"name": "http", "port": 8080}], "endpoints": [
        {"addresses": ["10.1.2.70"], "hostname": "plain"},
        {"addresses": ["10.1.2.71"], "hostname": "vm", "conditions": {"ready": false},
         "targetRef": {"kind": "ExternalWorkload", "namespace": namespace, "name": "vm"}}]}),
    );
    cluster.apply_object(&namespace, named).await?;
    for hostname in ["plain", "vm"] {
        let path = format!("{hostname}.web-svc.{namespace}.svc.{DOMAIN}:80");
        linkerd_tests::eventually(DEADLINE, || async { profile(&subject.channel, &path).await.map(drop) }).await?;
    }
    cluster
        .delete(&namespace, "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: named}}")
        .await?;
    subject.is_well().await?;

    subject
        .apply(slice_of_web(
            "no-number",
            json!({"ports": [{"name": "http"}],
        "endpoints": [{"addresses": ["10.1.2.60"]}]}),
        ))
        .await?;

    let opaque = object(
        "policy.linkerd.io/v1beta3",
        "Server",
        "opaque",
        json!({
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "port": 8080, "proxyProtocol": "opaque"}}),
    );
    cluster.apply_object(&namespace, opaque).await?;
    let (mut seen, mut stream) = profile(&subject.channel, "10.1.2.2:8080").await?;
    while !seen.opaque_protocol {
        seen = next(&mut stream).await?;
    }
    // While the process sleeps, the Server goes, and a new API server does not remember that it did.
    subject.process.signal(Signal::STOP)?;
    cluster
        .delete(&namespace, "{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: opaque}}")
        .await?;
    server.restart().await?;
    subject.process.signal(Signal::CONT)?;
    while seen.opaque_protocol {
        seen = next(&mut stream).await?;
    }
    subject.is_well().await
}
