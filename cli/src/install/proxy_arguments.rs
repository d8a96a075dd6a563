//! The options of `linkerd install` that become values of the proxy.

use super::{
    arguments::put_given,
    values::{put, text_at},
};
use anyhow::{Context as _, ensure};
use clap::{ArgAction, Args};
use linkerd_controller::args::go_bool;
use linkerd_injector::manifest::overrides::with_registry;
use linkerd_k8s::quantity::parse_thousandths;
use serde_json::Value;

/// Options of the proxy.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Options of the proxy")]
pub struct ProxyArgs {
    /// Registry of all images, instead of the ones in their names [env: LINKERD_DOCKER_REGISTRY]
    #[arg(long, value_name = "REGISTRY")]
    registry: Option<String>,
    /// When images are pulled: Always, IfNotPresent or Never
    #[arg(long, value_name = "POLICY")]
    image_pull_policy: Option<String>,
    /// Image of the proxy, without tag
    #[arg(long, value_name = "IMAGE")]
    proxy_image: Option<String>,
    /// Tag of the image of the proxy
    #[arg(long, short = 'v', value_name = "TAG")]
    proxy_version: Option<String>,
    /// Log filter of the proxy, such as warn,linkerd=debug
    #[arg(long, value_name = "LEVEL")]
    proxy_log_level: Option<String>,
    /// Port of inbound traffic
    #[arg(long, value_name = "PORT")]
    inbound_port: Option<u16>,
    /// Port of outbound traffic
    #[arg(long, value_name = "PORT")]
    outbound_port: Option<u16>,
    /// Port of the tap server
    #[arg(long, value_name = "PORT")]
    control_port: Option<u16>,
    /// Port of metrics and readiness
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,
    /// Inbound ports and ranges that bypass the proxy
    #[arg(long, value_name = "PORTS", action = ArgAction::Append)]
    skip_inbound_ports: Vec<String>,
    /// Outbound ports and ranges that bypass the proxy
    #[arg(long, value_name = "PORTS", action = ArgAction::Append)]
    skip_outbound_ports: Vec<String>,
    /// User that the proxy runs as
    #[arg(long, value_name = "UID", allow_negative_numbers = true)]
    proxy_uid: Option<i64>,
    /// Group that the proxy runs as
    #[arg(long, value_name = "GID", allow_negative_numbers = true)]
    proxy_gid: Option<i64>,
    /// CPU that the proxy requests, such as 100m
    #[arg(long, value_name = "QUANTITY")]
    proxy_cpu_request: Option<String>,
    /// Most CPU that the proxy may use
    #[arg(long, value_name = "QUANTITY")]
    proxy_cpu_limit: Option<String>,
    /// Memory that the proxy requests, such as 20Mi
    #[arg(long, value_name = "QUANTITY")]
    proxy_memory_request: Option<String>,
    /// Most memory that the proxy may use
    #[arg(long, value_name = "QUANTITY")]
    proxy_memory_limit: Option<String>,
    /// Apply ServiceProfiles to names outside of the cluster
    #[arg(long, value_parser = go_bool, num_args = 0..=1, default_missing_value = "true", require_equals = true,
          value_name = "BOOL")]
    enable_external_profiles: Option<bool>,
    /// Policy of inbound ports without a Server, such as deny or all-authenticated
    #[arg(long, value_name = "POLICY")]
    default_inbound_policy: Option<String>,
    /// Former name of --proxy-cpu-request
    #[arg(long, hide = true, value_name = "QUANTITY")]
    proxy_cpu: Option<String>,
    /// Former name of --proxy-memory-request
    #[arg(long, hide = true, value_name = "QUANTITY")]
    proxy_memory: Option<String>,
}

impl ProxyArgs {
    /// Sets the values that options were given for. `defaults` are those of the chart, and `registry` is used
    /// when none is given.
    ///
    /// # Errors
    /// When an amount of CPU is none.
    pub fn apply(&self, values: &mut Value, defaults: &Value, registry: Option<&str>) -> anyhow::Result<()> {
        self.apply_images(values, defaults, registry);
        put_given(values, "proxy.logLevel", self.proxy_log_level.as_deref());
        put_given(values, "proxy.ports.inbound", self.inbound_port);
        put_given(values, "proxy.ports.outbound", self.outbound_port);
        put_given(values, "proxy.ports.control", self.control_port);
        put_given(values, "proxy.ports.admin", self.admin_port);
        put_given(values, "proxyInit.ignoreInboundPorts", joined(&self.skip_inbound_ports));
        put_given(values, "proxyInit.ignoreOutboundPorts", joined(&self.skip_outbound_ports));
        put_given(values, "proxy.uid", self.proxy_uid);
        put_given(values, "proxy.gid", self.proxy_gid);
        self.apply_resources(values)?;
        put_given(values, "proxy.enableExternalProfiles", self.enable_external_profiles);
        put_given(values, "proxy.defaultInboundPolicy", self.default_inbound_policy.as_deref());
        Ok(())
    }

    fn apply_images(&self, values: &mut Value, defaults: &Value, registry: Option<&str>) {
        put_given(values, "proxy.image.name", self.proxy_image.as_deref());
        put_given(values, "proxy.image.version", self.proxy_version.as_deref());
        put_given(values, "imagePullPolicy", self.image_pull_policy.as_deref());
        if let Some(registry) = self.registry.as_deref().or(registry) {
            put(values, "imageRegistry", registry);
            for place in ["proxy.image.name", "debugContainer.image.name"] {
                let given = text_at(values, place);
                let image = if given.is_empty() { text_at(defaults, place) } else { given };
                put(values, place, with_registry(&image, registry));
            }
        }
    }

    fn apply_resources(&self, values: &mut Value) -> anyhow::Result<()> {
        let request = self.proxy_cpu_request.as_ref().or(self.proxy_cpu.as_ref());
        for (flag, bound, workers, given) in [
            ("--proxy-cpu-request", "request", "minimum", request),
            ("--proxy-cpu-limit", "limit", "maximum", self.proxy_cpu_limit.as_ref()),
        ] {
            let Some(cpu) = given else { continue };
            put(values, &format!("proxy.resources.cpu.{bound}"), cpu.as_str());
            put(values, &format!("proxy.runtime.workers.{workers}"), whole_cores(cpu).context(flag)?);
        }
        let request = self.proxy_memory_request.as_ref().or(self.proxy_memory.as_ref());
        put_given(values, "proxy.resources.memory.request", request.map(String::as_str));
        put_given(values, "proxy.resources.memory.limit", self.proxy_memory_limit.as_deref());
        Ok(())
    }
}

/// The cores that an amount of CPU fills, the last one perhaps in part.
fn whole_cores(cpu: &str) -> anyhow::Result<i64> {
    let thousandths = parse_thousandths(cpu).with_context(|| format!("{cpu:?} is no amount of CPU, such as 100m"))?;
    ensure!(thousandths >= 0, "{cpu:?} is negative");
    Ok(thousandths / 1000 + i64::from(thousandths % 1000 > 0))
}

/// Values of an option that may be given several times.
fn joined(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        proxy: ProxyArgs,
    }

    fn values(line: &str, registry: Option<&str>) -> anyhow::Result<Value> {
        let words = std::iter::once("install").chain(line.split_whitespace());
        let defaults = json!({
            "proxy": {"image": {"name": "cr.l5d.io/linkerd/proxy"}},
            "debugContainer": {"image": {"name": "cr.l5d.io/linkerd/debug"}},
        });
        let mut values = json!({});
        Command::try_parse_from(words)?.proxy.apply(&mut values, &defaults, registry)?;
        Ok(values)
    }

    #[test]
    fn only_what_is_given_is_set() {
        assert_eq!(values("", None).unwrap(), json!({}));
        let line = "--skip-inbound-ports 22,23 --skip-inbound-ports 80-90 --admin-port 1234 --proxy-gid -1";
        let expected = json!({
            "proxy": {"ports": {"admin": 1234}, "gid": -1},
            "proxyInit": {"ignoreInboundPorts": "22,23,80-90"},
        });
        assert_eq!(values(line, None).unwrap(), expected);
    }

    #[test]
    fn a_registry_moves_all_images_and_a_given_one_wins_over_the_environment() {
        let moved = json!({
            "imageRegistry": "my.reg",
            "proxy": {"image": {"name": "my.reg/proxy"}},
            "debugContainer": {"image": {"name": "my.reg/debug"}},
        });
        assert_eq!(values("", Some("my.reg")).unwrap(), moved);
        assert_eq!(values("--registry my.reg", Some("other")).unwrap(), moved);
        let own = values("--registry r --proxy-image x/mine", None).unwrap();
        assert_eq!(text_at(&own, "proxy.image.name"), "r/mine");
    }

    #[test]
    fn cores_bound_the_worker_threads() {
        let expected = json!({"proxy": {
            "resources": {"cpu": {"request": "100m", "limit": "1500m"}},
            "runtime": {"workers": {"minimum": 1, "maximum": 2}},
        }});
        assert_eq!(values("--proxy-cpu-request 100m --proxy-cpu-limit 1500m", None).unwrap(), expected);
        assert!(values("--proxy-cpu-limit many", None).is_err());
        assert!(values("--proxy-cpu=-1", None).is_err());
    }
}
