//! Endpoints as rows of a table, or objects of JSON.

use crate::diagnostics::dump::Dump as _;
use linkerd_proto::{
    destination::{Update, WeightedAddr, WeightedAddrSet, update},
    net::TcpAddress,
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
};

/// Space between columns.
const GAP: usize = 3;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    namespace: String,
    ip: IpAddr,
    port: u16,
    pod: String,
    service: String,
    weight: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    http2: Option<Value>,
    labels: BTreeMap<String, String>,
}

impl Row {
    fn new(address: SocketAddr, endpoint: WeightedAddr, of_set: &HashMap<String, String>) -> Self {
        let of_set = |name: &str| of_set.get(name).cloned().unwrap_or_default();
        let labels: BTreeMap<_, _> = endpoint.metric_labels.into_iter().collect();
        let pod = labels.get("pod").map(|pod| pod.rsplit('/').next().unwrap_or(pod).to_owned()).unwrap_or_default();
        Self {
            service: format!("{}.{}", of_set("service"), of_set("namespace")),
            namespace: of_set("namespace"),
            ip: address.ip(),
            port: address.port(),
            pod,
            weight: endpoint.weight,
            http2: endpoint.http2.map(|http2| http2.dump()),
            labels,
        }
    }

    /// What rows are sorted by.
    pub fn order(&self) -> (&str, &str, IpAddr, u16) {
        (&self.namespace, &self.service, self.ip, self.port)
    }
}

/// The endpoints that one stream named, by address.
#[derive(Clone, Debug, Default)]
pub struct Endpoints(BTreeMap<SocketAddr, Row>);

impl Endpoints {
    /// Applies what the stream says.
    pub fn apply(&mut self, update: Update) {
        match update.update {
            Some(update::Update::Add(WeightedAddrSet { addrs, metric_labels })) => {
                for endpoint in addrs {
                    if let Some(address) = endpoint.addr.as_ref().and_then(socket_address) {
                        self.0.insert(address, Row::new(address, endpoint, &metric_labels));
                    }
                }
            }
            Some(update::Update::Remove(removed)) => {
                for address in removed.addrs.iter().filter_map(socket_address) {
                    self.0.remove(&address);
                }
            }
            Some(update::Update::NoEndpoints(_)) => self.0.clear(),
            None => {}
        }
    }

    /// The endpoints.
    pub fn into_rows(self) -> impl Iterator<Item = Row> {
        self.0.into_values()
    }
}

fn socket_address(address: &TcpAddress) -> Option<SocketAddr> {
    let ip = IpAddr::try_from(address.ip?).ok()?;
    Some(SocketAddr::new(ip, address.port.try_into().ok()?))
}

/// One table for each namespace, with columns of the same width in all; `rows` are sorted.
pub fn table(rows: &[Row]) -> String {
    let width = |name: &str, cells: &mut dyn Iterator<Item = usize>| cells.fold(name.len(), usize::max) + GAP;
    let namespace = width("NAMESPACE", &mut rows.iter().map(|row| row.namespace.len()));
    let pod = width("POD", &mut rows.iter().map(|row| row.pod.len()));
    let tables = rows.chunk_by(|a, b| a.namespace == b.namespace).map(|rows| {
        let ip = width("IP", &mut rows.iter().map(|row| row.ip.to_string().len()));
        let port = width("PORT", &mut rows.iter().map(|row| row.port.to_string().len()));
        let mut text = String::new();
        let mut line = |cells: [&str; 5]| {
            let [a, b, c, d, e] = cells;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{a:<namespace$}{b:<ip$}{c:<port$}{d:<pod$}{e}");
        };
        line(["NAMESPACE", "IP", "PORT", "POD", "SERVICE"]);
        for row in rows {
            line([&row.namespace, &row.ip.to_string(), &row.port.to_string(), &row.pod, &row.service]);
        }
        text
    });
    tables.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use linkerd_proto::destination::{AddrSet, Http2ClientParams, NoEndpoints, http2_client_params::KeepAlive};

    fn address(last: u8, port: u32) -> TcpAddress {
        TcpAddress { ip: Some(IpAddr::from([10, 0, 0, last]).into()), port }
    }

    fn add(service: &str, namespace: &str, endpoints: &[(u8, &str)]) -> Update {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let addrs = endpoints.iter().map(|(last, pod)| WeightedAddr {
            addr: Some(address(*last, 8080)),
            weight: 10000,
            metric_labels: labels(&[("pod", pod)]),
            ..WeightedAddr::default()
        });
        let metric_labels = labels(&[("service", service), ("namespace", namespace)]);
        let set = WeightedAddrSet { addrs: addrs.collect(), metric_labels };
        Update { update: Some(update::Update::Add(set)) }
    }

    fn rows(updates: Vec<Update>) -> Vec<Row> {
        let mut endpoints = Endpoints::default();
        updates.into_iter().for_each(|update| endpoints.apply(update));
        endpoints.into_rows().collect()
    }

    #[test]
    fn tables_share_the_widths_of_namespace_and_pod() {
        let mut all = rows(vec![add("web", "emojivoto-long", &[(2, "web-1"), (100, "emojivoto-long/web-2")])]);
        all.extend(rows(vec![add("books", "b", &[(7, "a-pod-with-a-long-name")])]));
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        insta::assert_snapshot!(table(&all), @"
        NAMESPACE        IP         PORT   POD                      SERVICE
        b                10.0.0.7   8080   a-pod-with-a-long-name   books.b

        NAMESPACE        IP           PORT   POD                      SERVICE
        emojivoto-long   10.0.0.2     8080   web-1                    web.emojivoto-long
        emojivoto-long   10.0.0.100   8080   web-2                    web.emojivoto-long
        ");
    }

    #[test]
    fn json_names_each_field_and_leaves_absent_http2_parameters_out() {
        let mut all = rows(vec![add("web", "n", &[(2, "web-1")])]);
        insta::assert_snapshot!(crate::output::json(&all).unwrap(), @r#"
        [
          {
            "namespace": "n",
            "ip": "10.0.0.2",
            "port": 8080,
            "pod": "web-1",
            "service": "web.n",
            "weight": 10000,
            "labels": {
              "pod": "web-1"
            }
          }
        ]
        "#);
        let keep_alive = KeepAlive { while_idle: true, ..KeepAlive::default() };
        all[0].http2 = Some(Http2ClientParams { keep_alive: Some(keep_alive), ..Default::default() }.dump());
        let json = serde_json::to_value(&all).unwrap();
        assert_eq!(json[0]["http2"], serde_json::json!({"keep_alive": {"while_idle": true}}));
    }

    #[test]
    fn an_address_is_listed_once_and_no_more_after_its_removal() {
        let remove = Update { update: Some(update::Update::Remove(AddrSet { addrs: vec![address(2, 8080)] })) };
        let added = || add("web", "n", &[(2, "web-1"), (3, "web-2")]);
        assert_eq!(rows(vec![added(), added()]).len(), 2);
        let left = rows(vec![added(), remove]);
        assert_eq!(left.iter().map(|row| row.pod.as_str()).collect::<Vec<_>>(), ["web-2"]);
        let none = Update { update: Some(update::Update::NoEndpoints(NoEndpoints { exists: true })) };
        assert_eq!(rows(vec![added(), none]), []);
    }
}
