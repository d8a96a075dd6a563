//! `linkerd diagnostics policy`.

use super::{
    LIMIT, PodArgs,
    connect::{self, Api, Target},
    dump::{self, Dump},
    status::{no_answer, rpc_error},
};
use crate::{failure::exactly, global::Global, output, resource::Kind, sandbox::runtime};
use anyhow::{anyhow, bail};
use linkerd_proto::{
    destination::{GetDestination, destination_client::DestinationClient},
    inbound::{PortSpec, inbound_server_policies_client::InboundServerPoliciesClient},
    outbound::{TrafficSpec, outbound_policies_client::OutboundPoliciesClient, traffic_spec},
};
use std::{future::Future, num::NonZeroU16};
use tonic::{Code, Response, Status};

/// Show the policy of a port of a Pod or Service
///
/// TYPE is pod or svc. For a Pod it is the policy of its inbound port: who may connect, and how. For a
/// Service it is the policy with which other pods' proxies send to it: routes, retries, timeouts.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "linkerd diagnostics policy [OPTIONS] TYPE/NAME PORT",
    after_help = "Examples:\n  linkerd diagnostics policy -n emojivoto pod/web-5f86686c4d-58p7k 8080\n  \
                        linkerd diagnostics policy -n emojivoto svc/web-svc 80"
)]
pub struct PolicyArgs {
    // Hidden, since the usage says it better.
    #[arg(hide = true)]
    resource_and_port: Vec<String>,
    /// Namespace of the resource
    #[arg(long, short, default_value = "default")]
    namespace: String,
    /// Form of the output: yaml or json
    #[arg(long, short, value_name = "FORMAT", default_value = "yaml")]
    output: String,
    /// Context token, with which a proxy tells who asks: NAMESPACE:POD
    #[arg(long, default_value = "default:diagnostics")]
    token: String,
    #[command(flatten)]
    pod: PodArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Yaml,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Resource {
    Pod(String),
    Service(String),
}

/// Prints the policy.
///
/// # Errors
/// When an argument is wrong, or the API cannot be reached, refuses, or does not answer in time.
pub async fn run(args: PolicyArgs, global: &Global) -> anyhow::Result<()> {
    let [resource, port] = exactly(args.resource_and_port)?;
    let (format, resource) = (format_of(&args.output)?, resource_of(&resource)?);
    let port: NonZeroU16 = port.parse().map_err(|_| anyhow!("invalid port \"{port}\"; use 1 to 65535"))?;
    let target = connect::find(global, Api::Policy, args.pod.name(), runtime::running).await?;
    let text = match resource {
        Resource::Pod(pod) => pod_policy(&target, &args.namespace, &pod, port, format).await,
        Resource::Service(service) => {
            let question = ServiceQuestion { namespace: &args.namespace, service: &service, port };
            question.policy(&target, args.token, format).await
        }
    };
    output::print(&text?)
}

fn format_of(text: &str) -> anyhow::Result<Format> {
    match text {
        "yaml" => Ok(Format::Yaml),
        "json" => Ok(Format::Json),
        _ => bail!("output must be one of: yaml, json"),
    }
}

fn resource_of(text: &str) -> anyhow::Result<Resource> {
    let (kind, name) = text.split_once('/').ok_or_else(|| anyhow!("resource type and name are required"))?;
    if name.is_empty() || name.contains('/') {
        bail!("invalid resource string: {text}; use TYPE/NAME");
    }
    match Kind::parse(kind) {
        Some(Kind::Pod) => Ok(Resource::Pod(name.to_owned())),
        Some(Kind::Service) => Ok(Resource::Service(name.to_owned())),
        _ => bail!("invalid resource type {text}; must be one of Pod or Service"),
    }
}

fn shown(message: &impl Dump, format: Format) -> anyhow::Result<String> {
    match format {
        Format::Yaml => dump::yaml(message),
        Format::Json => Ok(serde_json::to_string_pretty(&message.dump())?),
    }
}

async fn pod_policy(
    target: &Target,
    namespace: &str,
    pod: &str,
    port: NonZeroU16,
    format: Format,
) -> anyhow::Result<String> {
    let channel = target.connect(Api::Policy).await.map_err(|error| anyhow!(error))?;
    let request = PortSpec { workload: format!("{namespace}:{pod}"), port: port.get().into() };
    let answer = in_time(InboundServerPoliciesClient::new(channel).get_port(request)).await;
    let policy = answer.map_err(|status| match status.code() {
        Code::NotFound => anyhow!("{} (pod \"{pod}\" in namespace \"{namespace}\")", rpc_error(&status)),
        _ => anyhow!(rpc_error(&status)),
    })?;
    shown(&policy, format)
}

struct ServiceQuestion<'a> {
    namespace: &'a str,
    service: &'a str,
    port: NonZeroU16,
}

impl ServiceQuestion<'_> {
    async fn policy(&self, target: &Target, token: String, format: Format) -> anyhow::Result<String> {
        self.check_exists(target).await?;
        let channel = target.connect(Api::Policy).await.map_err(|error| anyhow!(error))?;
        let authority = format!("{}.{}.svc:{}", self.service, self.namespace, self.port);
        let request = TrafficSpec { source_workload: token, target: Some(traffic_spec::Target::Authority(authority)) };
        let answer = in_time(OutboundPoliciesClient::new(channel).get(request)).await;
        shown(&answer.map_err(|status| anyhow!(rpc_error(&status)))?, format)
    }

    /// The policy API answers for any name with its default. A cluster and a sandbox also tell whether
    /// there is such a Service; the one server of `--api-addr` does not.
    async fn check_exists(&self, target: &Target) -> anyhow::Result<()> {
        let is_missing = match target {
            Target::Named(_) => false,
            Target::Sandbox(running) => self.is_unknown(target, &running.cluster_domain).await?,
            Target::Cluster(control_plane) => !control_plane.has_service(self.namespace, self.service).await,
        };
        match is_missing {
            true => bail!("service \"{}\" not found in namespace \"{}\"", self.service, self.namespace),
            false => Ok(()),
        }
    }

    /// Whether the destination API knows no such Service.
    async fn is_unknown(&self, target: &Target, cluster_domain: &str) -> anyhow::Result<bool> {
        let channel = target.connect(Api::Destination).await.map_err(|error| anyhow!(error))?;
        let path = format!("{}.{}.svc.{cluster_domain}:{}", self.service, self.namespace, self.port);
        let request = GetDestination { path, ..GetDestination::default() };
        let answer = in_time(async {
            let mut updates = DestinationClient::new(channel).get(request).await?.into_inner();
            Ok(Response::new(updates.message().await?))
        });
        Ok(answer.await.is_err_and(|status| status.code() == Code::NotFound))
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, Status> {
    let answer = tokio::time::timeout(LIMIT, answer).await.unwrap_or_else(|_| Err(no_answer(LIMIT)));
    answer.map(Response::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_pods_and_services_under_any_of_their_names() {
        for pod in ["po/x", "pod/x", "PODS/x"] {
            assert_eq!(resource_of(pod).unwrap(), Resource::Pod("x".to_owned()));
        }
        for service in ["svc/x", "service/x", "services/x"] {
            assert_eq!(resource_of(service).unwrap(), Resource::Service("x".to_owned()));
        }
    }

    #[test]
    fn other_resources_are_refused_with_what_is_taken() {
        let error = |text| resource_of(text).unwrap_err().to_string();
        assert_eq!(error("x"), "resource type and name are required");
        assert_eq!(error("deploy/x"), "invalid resource type deploy/x; must be one of Pod or Service");
        assert_eq!(error("pod/a/b"), "invalid resource string: pod/a/b; use TYPE/NAME");
        assert_eq!(format_of("foo").unwrap_err().to_string(), "output must be one of: yaml, json");
    }
}
