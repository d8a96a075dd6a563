//! What the flags of `linkerd inject` change, as annotations.

use crate::{
    core::{
        annotations::{CLOSE_WAIT_TIMEOUT, DEBUG_SIDECAR, NATIVE_SIDECAR, REQUIRE_IDENTITY_INBOUND_PORTS},
        image,
        ports::PortList,
        settings::{self, DEFAULT_POLICIES, MAX_ID},
        values::Values,
    },
    manifest::go_duration,
};
use linkerd_k8s::names::annotation::{DEFAULT_INBOUND_POLICY, INJECT, OPAQUE_PORTS, SKIP_INBOUND_PORTS};
use std::{collections::BTreeMap, time::Duration};

/// Flags that were given.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--proxy-image`
    pub proxy_image: Option<String>,
    /// `--registry`, or the environment variable `LINKERD_DOCKER_REGISTRY`
    pub registry: Option<String>,
    /// `--image-pull-policy`
    pub image_pull_policy: Option<String>,
    /// `--proxy-version`
    pub proxy_version: Option<String>,
    /// `--inbound-port`
    pub inbound_port: Option<u16>,
    /// `--outbound-port`
    pub outbound_port: Option<u16>,
    /// `--control-port`
    pub control_port: Option<u16>,
    /// `--admin-port`
    pub admin_port: Option<u16>,
    /// `--skip-inbound-ports`, comma-joined
    pub skip_inbound_ports: Option<String>,
    /// `--skip-outbound-ports`, comma-joined
    pub skip_outbound_ports: Option<String>,
    /// `--opaque-ports`, comma-joined
    pub opaque_ports: Option<String>,
    /// `--proxy-uid`
    pub proxy_uid: Option<i64>,
    /// `--proxy-gid`
    pub proxy_gid: Option<i64>,
    /// `--proxy-log-level`
    pub proxy_log_level: Option<String>,
    /// `--proxy-cpu-request`, or the deprecated `--proxy-cpu`
    pub proxy_cpu_request: Option<String>,
    /// `--proxy-cpu-limit`
    pub proxy_cpu_limit: Option<String>,
    /// `--proxy-memory-request`, or the deprecated `--proxy-memory`, which wins
    pub proxy_memory_request: Option<String>,
    /// `--proxy-memory-limit`
    pub proxy_memory_limit: Option<String>,
    /// `--enable-external-profiles`
    pub enable_external_profiles: Option<bool>,
    /// `--default-inbound-policy`
    pub default_inbound_policy: Option<String>,
    /// `--require-identity-on-inbound-ports`, comma-joined
    pub require_identity_on_inbound_ports: Option<String>,
    /// `--wait-before-exit-seconds`
    pub wait_before_exit_seconds: Option<u64>,
    /// `--native-sidecar`
    pub native_sidecar: Option<bool>,
    /// `--ingress`
    pub ingress: bool,
    /// `--enable-debug-sidecar`
    pub enable_debug_sidecar: bool,
    /// `--close-wait-timeout`
    pub close_wait_timeout: Option<Duration>,
}

/// Annotations that the flags ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// For pod templates and namespaces.
    pub everywhere: BTreeMap<&'static str, String>,
    /// For pod templates only.
    pub templates: BTreeMap<&'static str, String>,
}

/// Flags with values that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct InvalidFlags(pub Vec<String>);

impl Overrides {
    /// Finds what differs from the base: the cluster's values, or the defaults.
    ///
    /// # Errors
    /// All flags that cannot be used.
    pub fn new(base: &Values, flags: &Flags) -> Result<Self, InvalidFlags> {
        let mut collect = Collect::default();
        collect.images(base, flags);
        collect.ports(base, flags);
        collect.resources(base, flags);
        collect.process(base, flags);
        if flags.ingress {
            collect.everywhere.insert(INJECT, "ingress".into());
        }
        let mut templates = BTreeMap::new();
        if flags.enable_debug_sidecar {
            templates.insert(DEBUG_SIDECAR, "true".to_owned());
        }
        if let Some(timeout) = flags.close_wait_timeout.filter(|timeout| !timeout.is_zero()) {
            templates.insert(CLOSE_WAIT_TIMEOUT, go_duration::format(timeout));
        }
        match collect.mistakes.is_empty() {
            true => Ok(Self { everywhere: collect.everywhere, templates }),
            false => Err(InvalidFlags(collect.mistakes)),
        }
    }

    /// Whether a template gets ingress mode.
    pub fn is_ingress(&self) -> bool {
        self.everywhere.contains_key(INJECT)
    }

    /// The opaque ports, which are all that concerns a Service.
    pub fn opaque_ports(&self) -> Option<&str> {
        self.everywhere.get(OPAQUE_PORTS).map(String::as_str)
    }
}

#[derive(Default)]
struct Collect {
    everywhere: BTreeMap<&'static str, String>,
    mistakes: Vec<String>,
}

impl Collect {
    fn text(&mut self, key: &'static str, base: &str, flag: Option<&String>) {
        if let Some(value) = flag.filter(|value| value.as_str() != base) {
            self.everywhere.insert(key, value.clone());
        }
    }

    fn scalar<T: PartialEq + ToString>(&mut self, key: &'static str, base: &T, flag: Option<T>) {
        if let Some(value) = flag.filter(|value| value != base) {
            self.everywhere.insert(key, value.to_string());
        }
    }

    fn require(&mut self, flag: &str, value: Option<&String>, is_good: impl Fn(&str) -> bool, expected: &str) {
        if let Some(value) = value.filter(|value| !is_good(value)) {
            self.mistakes.push(format!("--{flag}: {value:?} is not {expected}"));
        }
    }

    fn images(&mut self, base: &Values, flags: &Flags) {
        self.require("proxy-image", flags.proxy_image.as_ref(), image::is_name, "an image name without tag");
        self.require("proxy-version", flags.proxy_version.as_ref(), image::is_version, "an image tag");
        let policies = image::PULL_POLICIES;
        let is_policy = |policy: &str| policies.contains(&policy);
        self.require("image-pull-policy", flags.image_pull_policy.as_ref(), is_policy, &policies.join(", "));
        let proxy = flags.proxy_image.as_ref().unwrap_or(&base.proxy.image.name);
        let debug = &base.debug_container.image.name;
        let moved = |image: &str| match &flags.registry {
            Some(registry) => with_registry(image, registry),
            None => image.to_owned(),
        };
        self.text("config.linkerd.io/proxy-image", &base.proxy.image.name, Some(&moved(proxy)));
        self.text("config.linkerd.io/debug-image", debug, Some(&moved(debug)));
        self.text("config.linkerd.io/proxy-version", &base.proxy.image.version, flags.proxy_version.as_ref());
        let policy = flags.image_pull_policy.as_ref();
        self.text("config.linkerd.io/image-pull-policy", &base.proxy.image.pull_policy, policy);
    }

    fn ports(&mut self, base: &Values, flags: &Flags) {
        let ports = &base.proxy.ports;
        for (flag, key, base, port) in [
            ("inbound-port", "config.linkerd.io/inbound-port", ports.inbound, flags.inbound_port),
            ("outbound-port", "config.linkerd.io/outbound-port", ports.outbound, flags.outbound_port),
            ("control-port", "config.linkerd.io/control-port", ports.control, flags.control_port),
            ("admin-port", "config.linkerd.io/admin-port", ports.admin, flags.admin_port),
        ] {
            if port == Some(0) {
                self.mistakes.push(format!("--{flag}: 0 is not a port from 1 to 65535"));
            }
            self.scalar(key, &base, port.map(i64::from));
        }
        let is_list = |text: &str| PortList::parse(text).1.is_empty();
        const PORTS: &str = "a list of ports from 1 to 65535 and ranges of them";
        let (inbound, outbound) = (flags.skip_inbound_ports.as_ref(), flags.skip_outbound_ports.as_ref());
        let identity = flags.require_identity_on_inbound_ports.as_ref();
        self.require("skip-inbound-ports", inbound, is_list, PORTS);
        self.require("skip-outbound-ports", outbound, is_list, PORTS);
        self.require("require-identity-on-inbound-ports", identity, is_list, PORTS);
        self.text(SKIP_INBOUND_PORTS, &base.proxy_init.ignore_inbound_ports, inbound);
        self.text("config.linkerd.io/skip-outbound-ports", &base.proxy_init.ignore_outbound_ports, outbound);
        self.text(OPAQUE_PORTS, &base.proxy.opaque_ports, flags.opaque_ports.as_ref());
        self.text(REQUIRE_IDENTITY_INBOUND_PORTS, &base.proxy.require_identity_on_inbound_ports, identity);
    }

    fn resources(&mut self, base: &Values, flags: &Flags) {
        let resources = &base.proxy.resources;
        for (flag, key, base, value) in [
            (
                "proxy-cpu-request",
                "config.linkerd.io/proxy-cpu-request",
                &resources.cpu.request,
                &flags.proxy_cpu_request,
            ),
            ("proxy-cpu-limit", "config.linkerd.io/proxy-cpu-limit", &resources.cpu.limit, &flags.proxy_cpu_limit),
            (
                "proxy-memory-request",
                "config.linkerd.io/proxy-memory-request",
                &resources.memory.request,
                &flags.proxy_memory_request,
            ),
            (
                "proxy-memory-limit",
                "config.linkerd.io/proxy-memory-limit",
                &resources.memory.limit,
                &flags.proxy_memory_limit,
            ),
        ] {
            let is_quantity = |text: &str| settings::quantity(text).is_some();
            self.require(flag, value.as_ref(), is_quantity, "a quantity such as 100m or 64Mi");
            self.text(key, base, value.as_ref());
        }
    }

    fn process(&mut self, base: &Values, flags: &Flags) {
        let proxy = &base.proxy;
        if let Some(uid) = flags.proxy_uid.filter(|uid| !(1..=MAX_ID).contains(uid)) {
            self.mistakes.push(format!("--proxy-uid: {uid} is not a user from 1 to {MAX_ID}"));
        }
        if let Some(gid) = flags.proxy_gid.filter(|gid| *gid > MAX_ID) {
            self.mistakes.push(format!("--proxy-gid: {gid} is not a group up to {MAX_ID}"));
        }
        self.require(
            "proxy-log-level",
            flags.proxy_log_level.as_ref(),
            is_log_filter,
            "a log filter such as warn,linkerd=debug",
        );
        let is_policy = |policy: &str| DEFAULT_POLICIES.contains(&policy);
        let policy = flags.default_inbound_policy.as_ref();
        self.require("default-inbound-policy", policy, is_policy, &format!("one of {}", DEFAULT_POLICIES.join(", ")));
        self.scalar("config.linkerd.io/proxy-uid", &proxy.uid, flags.proxy_uid);
        self.scalar("config.linkerd.io/proxy-gid", &proxy.gid, flags.proxy_gid.filter(|gid| *gid >= 0));
        self.text("config.linkerd.io/proxy-log-level", &proxy.log_level, flags.proxy_log_level.as_ref());
        let profiles = flags.enable_external_profiles;
        self.scalar("config.linkerd.io/enable-external-profiles", &proxy.enable_external_profiles, profiles);
        self.text(DEFAULT_INBOUND_POLICY, &proxy.default_inbound_policy, policy);
        let base_wait = u64::try_from(proxy.wait_before_exit_seconds).unwrap_or_default();
        let wait = flags.wait_before_exit_seconds;
        self.scalar("config.alpha.linkerd.io/proxy-wait-before-exit-seconds", &base_wait, wait);
        self.scalar(NATIVE_SIDECAR, &proxy.native_sidecar, flags.native_sidecar);
    }
}

/// Moves an image to another registry: its last component stays.
pub fn with_registry(image: &str, registry: &str) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    match registry.trim_end_matches('/') {
        "" => name.to_owned(),
        _ if name.is_empty() => String::new(),
        registry => format!("{registry}/{name}"),
    }
}

/// Whether a text is a comma-joined list of levels, modules and `module=level`.
pub fn is_log_filter(text: &str) -> bool {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // Field matchers in brackets may hold anything.
    let outside: String = text
        .split('[')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once(']').map_or("\n", |(_, rest)| rest) })
        .collect();
    !text.is_empty()
        && outside.split(',').all(|item| {
            let (module, level) = item.split_once('=').map_or((item, None), |(module, level)| (module, Some(level)));
            let is_module = module.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'));
            is_module && level.is_none_or(|level| LEVELS.contains(&level.to_ascii_lowercase().as_str()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(flags: Flags) -> Vec<(&'static str, String)> {
        Overrides::new(&Values::default(), &flags).unwrap().everywhere.into_iter().collect()
    }

    // Acceptance cases 2, 3 and 5 of the command line.
    #[test]
    fn only_what_differs_from_the_base_is_annotated() {
        assert_eq!(annotations(Flags::default()), []);
        let same =
            Flags { admin_port: Some(4191), native_sidecar: Some(true), proxy_gid: Some(-5), ..Flags::default() };
        assert_eq!(annotations(same), []);
        let other = Flags { admin_port: Some(1234), native_sidecar: Some(false), ..Flags::default() };
        let expected = [
            ("config.linkerd.io/admin-port", "1234".to_owned()),
            ("config.linkerd.io/proxy-enable-native-sidecar", "false".to_owned()),
        ];
        assert_eq!(annotations(other), expected);
        let policy = Flags { image_pull_policy: Some("IfNotPresent".into()), ..Flags::default() };
        assert_eq!(annotations(policy), [("config.linkerd.io/image-pull-policy", "IfNotPresent".to_owned())]);
    }

    // Acceptance case 6 of the command line.
    #[test]
    fn the_debug_container_and_close_wait_concern_templates_only() {
        let close_wait_timeout = Some(Duration::from_secs(3600));
        let flags = Flags { enable_debug_sidecar: true, close_wait_timeout, ..Flags::default() };
        let overrides = Overrides::new(&Values::default(), &flags).unwrap();
        assert!(overrides.everywhere.is_empty());
        assert_eq!(overrides.templates[DEBUG_SIDECAR], "true");
        assert_eq!(overrides.templates[CLOSE_WAIT_TIMEOUT], "1h0m0s");
    }

    // Acceptance cases 7 and 8 of the command line.
    #[test]
    fn a_registry_replaces_all_but_the_last_component() {
        for (image, registry, expected) in [
            ("cr.l5d.io/linkerd/image", "r/", "r/image"),
            ("image", "r", "r/image"),
            ("x/image", "", "image"),
            ("", "r", ""),
        ] {
            assert_eq!(with_registry(image, registry), expected);
        }
        let flags = Flags { registry: Some("my.reg".into()), ..Flags::default() };
        let expected = [
            ("config.linkerd.io/debug-image", "my.reg/debug".to_owned()),
            ("config.linkerd.io/proxy-image", "my.reg/proxy".to_owned()),
        ];
        assert_eq!(annotations(flags), expected);
    }

    #[test]
    fn every_flag_that_cannot_be_used_is_reported() {
        let flags = Flags {
            admin_port: Some(0),
            skip_inbound_ports: Some("22,x".into()),
            proxy_cpu_request: Some("lots".into()),
            default_inbound_policy: Some("allow".into()),
            proxy_log_level: Some("linkerd=loud".into()),
            proxy_uid: Some(0),
            ..Flags::default()
        };
        assert_eq!(Overrides::new(&Values::default(), &flags).unwrap_err().0.len(), 6);
    }

    #[test]
    fn log_filters_are_levels_and_modules() {
        for good in [
            "warn",
            "warn,linkerd=info,hickory=error",
            "linkerd_proxy::x",
            "warn,[{headers}]=off",
            "a[b{c=\"d\"}]=trace",
        ] {
            assert!(is_log_filter(good), "{good}");
        }
        for bad in ["", "a b", "x=loud", "a\nb", "[a"] {
            assert!(!is_log_filter(bad), "{bad}");
        }
    }
}
