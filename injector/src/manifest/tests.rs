//! Rules of `inject` and `uninject`, by the numbers of the acceptance cases of the command line
//! (`cli`) and of the injector.

use super::{
    overrides::{Flags, Overrides},
    *,
};
use crate::core::values::Values;

const ANCHORS: &str = include_str!("../../tests/fixtures/trust-anchors.pem");

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - image: web:1
        name: web
        x-unknown: kept
";

const CRON_JOB: &str = "apiVersion: batch/v1
kind: CronJob
metadata:
  name: tick
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - image: tick:1
            name: tick
  schedule: '* * * * *'
";

struct Run {
    flags: Flags,
    values: String,
    manual: bool,
    format: Format,
}

fn run() -> Run {
    Run { flags: Flags::default(), values: String::new(), manual: false, format: Format::Yaml }
}

impl Run {
    fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    fn values(mut self, values: &str) -> Self {
        self.values = values.into();
        self
    }

    fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    fn on(&self, text: &str) -> Result<Transformed, Failed> {
        let mut values = Values::from_yaml(&self.values).unwrap();
        let overrides = Overrides::new(&values, &self.flags).unwrap();
        values.identity_trust_anchors_pem = ANCHORS.into();
        let token_projection = values.identity.service_account_token_projection;
        let manual = self.manual.then(|| Manual::new(values, "linkerd").unwrap());
        let options =
            InjectOptions { overrides: &overrides, token_projection, manual: manual.as_ref(), format: self.format };
        inject(&[Input { name: "f.yaml", text }], &options)
    }

    fn manifests(&self, text: &str) -> String {
        self.on(text).unwrap().manifests
    }

    fn report(&self, text: &str) -> String {
        self.on(text).unwrap().report.render(false)
    }

    fn error(&self, text: &str) -> String {
        self.on(text).unwrap_err().to_string()
    }
}

fn uninjected(text: &str) -> Transformed {
    uninject(&[Input { name: "f.yaml", text }], Format::Yaml).unwrap()
}

/// Puts lines into the spec of the only template of [`WEB`].
fn web_with(lines: &str) -> String {
    WEB.replace("    spec:\n", &format!("    spec:\n{lines}"))
}

fn web_annotated(key: &str, value: &str) -> String {
    let annotations = format!("    metadata:\n      annotations:\n        {key}: {value}\n");
    WEB.replacen("    metadata:\n", &annotations, 1)
}

// cli 1, 2; injector 66.
#[test]
fn a_deployment_gains_the_annotation_and_nothing_else() {
    let transformed = run().on(WEB).unwrap();
    assert_eq!(transformed.manifests, web_annotated("linkerd.io/inject", "enabled") + "---\n");
    assert_eq!(transformed.report.render(false), "\ndeployment \"web\" injected\n\n");
    let again = run().manifests(&transformed.manifests);
    assert_eq!(again, transformed.manifests);
    let flags = Flags { admin_port: Some(1234), ..Flags::default() };
    let with_port = run().flags(flags).manifests(WEB);
    assert!(with_port.contains("config.linkerd.io/admin-port: \"1234\"\n        linkerd.io/inject: enabled\n"));
}

// cli 4, 70.
#[test]
fn ingress_mode_is_asked_for_by_flag_or_kept() {
    let ingress = || Flags { ingress: true, ..Flags::default() };
    let expected = web_annotated("linkerd.io/inject", "ingress") + "---\n";
    assert_eq!(run().flags(ingress()).manifests(WEB), expected);
    assert_eq!(run().manifests(&web_annotated("linkerd.io/inject", "ingress")), expected);
    let manual = run().flags(ingress()).manual().manifests(WEB);
    assert!(manual.contains("linkerd.io/inject: ingress"));
    assert!(manual.contains("- name: LINKERD2_PROXY_INGRESS_MODE\n          value: \"true\""), "{manual}");
}

// cli 9, 10, 71; injector 70.
#[test]
fn namespaces_and_services_are_annotated() {
    let namespace = "kind: Namespace\nmetadata:\n  annotations:\n    linkerd.io/inject: disabled\n  name: x\n";
    let flags = Flags { enable_debug_sidecar: true, admin_port: Some(1), ..Flags::default() };
    let transformed = run().flags(flags).on(namespace).unwrap();
    let expected = "kind: Namespace
metadata:
  annotations:
    config.linkerd.io/admin-port: \"1\"
    linkerd.io/inject: enabled
  name: x
---
";
    assert_eq!(transformed.manifests, expected);
    assert_eq!(transformed.report.render(false), "\nnamespace \"x\" annotated\n\n");
    let service = "kind: Service\nmetadata: {name: db}\nspec:\n  ports: [{port: 3306}]\n";
    let transformed = run().on(service).unwrap();
    assert_eq!(transformed.manifests, format!("{service}---\n"));
    assert_eq!(transformed.report.render(false), "\nservice \"db\" skipped\n\n");
    let flags = Flags { opaque_ports: Some("3306".into()), admin_port: Some(1), ..Flags::default() };
    let transformed = run().flags(flags).on(service).unwrap();
    assert!(transformed.manifests.contains("annotations:\n    config.linkerd.io/opaque-ports: \"3306\"\n"));
    assert!(!transformed.manifests.contains("admin-port"));
    assert_eq!(transformed.report.render(false), "\nservice \"db\" annotated\n\n");
}

// cli 11.
#[test]
fn other_kinds_pass_byte_for_byte() {
    let text = "# comment\nkind:   ConfigMap\nmetadata: {name: x}\ndata: {a: 'yes'}\n";
    let transformed = run().on(text).unwrap();
    assert_eq!(transformed.manifests, format!("{text}---\n"));
    let expected = "\n\u{203c} no supported objects found\n\nconfigmap \"x\" skipped\n\n";
    assert_eq!(transformed.report.render(false), expected);
}

// cli 12; injector 68.
#[test]
fn the_template_of_a_cron_job_is_inside_its_job() {
    let text = run().manifests(CRON_JOB);
    assert!(
        text.contains(
            "      template:\n        metadata:\n          annotations:\n            linkerd.io/inject: enabled\n"
        ),
        "{text}"
    );
    let manual = run().manual().manifests(CRON_JOB);
    assert!(manual.contains("linkerd.io/proxy-cronjob: tick\n"), "{manual}");
    assert_eq!(document::to_yaml(&reread(&uninjected(&manual).manifests)), document::to_yaml(&reread(CRON_JOB)));
}

fn reread(text: &str) -> serde_json::Value {
    document::read(Input { name: "f", text }).unwrap().remove(0).value
}

// cli 13, 72; injector 69.
#[test]
fn a_template_that_opts_out_is_left_alone() {
    let text = web_annotated("linkerd.io/inject", "disabled");
    let flags = Flags { default_inbound_policy: Some("deny".into()), ..Flags::default() };
    let transformed = run().flags(flags).on(&text).unwrap();
    assert_eq!(transformed.manifests, format!("{text}---\n"));
    let expected =
        "\n\u{203c} \"linkerd.io/inject: disabled\" annotation set on deployment/web\n\ndeployment \"web\" skipped\n\n";
    assert_eq!(transformed.report.render(false), expected);
    let on_host = text.replace("    spec:\n", "    spec:\n      hostNetwork: true\n");
    assert_eq!(run().manifests(&on_host), format!("{on_host}---\n"));
}

// cli 14, 15, 17; injector 69.
#[test]
fn what_cannot_be_injected_fails_the_run() {
    let host = web_with("      hostNetwork: true\n");
    assert_eq!(
        run().error(&host),
        "Error transforming resources:\nfailed to inject deployment/web: hostNetwork is enabled"
    );
    let istio = WEB.replace("name: web\n        x", "name: istio-proxy\n        x");
    assert!(run().error(&istio).ends_with("failed to inject deployment/web: pod has a sidecar injected already"));
    let no_token = web_with("      automountServiceAccountToken: false\n");
    assert!(run().on(&no_token).is_ok());
    let values = "identity: {serviceAccountTokenProjection: false}";
    assert!(run().values(values).error(&no_token).contains("automountServiceAccountToken set to \"false\""));
}

// cli 73.
#[test]
fn every_workload_that_fails_is_named() {
    let host = web_with("      hostNetwork: true\n");
    let text = format!("{WEB}---\n{host}---\n{}", host.replace("name: web", "name: other"));
    assert_eq!(run().error(&text).lines().count(), 3);
}

// cli 16; injector 11.
#[test]
fn udp_ports_are_a_warning() {
    let udp = WEB.replace("        x-unknown: kept\n", "        ports: [{containerPort: 53, protocol: UDP}]\n");
    assert!(
        run()
            .report(&udp)
            .contains("\n\u{203c} deployment/web uses \"protocol: UDP\"\n\ndeployment \"web\" injected\n")
    );
    let two = format!("{udp}---\n{}", udp.replace("name: web", "name: api"));
    assert!(run().report(&two).contains("deployment/web, deployment/api use \"protocol: UDP\""));
    let host = udp.replace("    spec:\n", "    spec:\n      hostNetwork: true\n");
    assert!(run().error(&host).ends_with("hostNetwork is enabled, UDP port(s) configured on pod spec"));
}

// cli 18.
#[test]
fn control_plane_components_are_injected_only_by_hand() {
    let text = WEB.replace("        app: web\n    spec", "        linkerd.io/control-plane-component: x\n    spec");
    let expected = "Error transforming resources:\n--manual must be set when injecting control plane components";
    assert_eq!(run().error(&text), expected);
    assert!(run().manual().report(&text).contains("deployment \"web\" injected"));
}

// cli 19; injector 71.
#[test]
fn a_broken_document_fails_the_run() {
    let error = run().error(&format!("{WEB}---\na: [\n"));
    assert!(error.starts_with("Error transforming resources:\nf.yaml: document 2: "), "{error}");
}

// cli 20; injector 71.
#[test]
fn a_list_stays_a_list() {
    let item = |name: &str| WEB.replace("name: web\nspec", &format!("name: {name}\nspec")).replace('\n', "\n  ");
    let text = format!(
        "apiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n---\n\n---\n",
        item("a").trim_end(),
        item("b").trim_end()
    );
    let transformed = run().on(&text).unwrap();
    assert_eq!(transformed.manifests.matches("linkerd.io/inject: enabled").count(), 2);
    assert!(transformed.manifests.contains("kind: List\n---\n\n---\n"), "{}", transformed.manifests);
    let expected =
        "\ndeployment \"a\" injected\ndeployment \"b\" injected\ndocument missing \"kind\" field, skipped\n\n";
    assert_eq!(transformed.report.render(false), expected);
}

// cli 24.
#[test]
fn json_output_is_a_line_a_document() {
    let mut run = run();
    run.format = Format::Json;
    let text = run.manifests(&format!("{WEB}---\nkind: ConfigMap\nmetadata: {{name: x}}\n"));
    assert_eq!(text.lines().count(), 2);
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert_eq!("foo".parse::<Format>().unwrap_err(), "unsupported format foo");
}

// cli 25, 27; injector 72, 79.
#[test]
fn a_proxy_that_was_written_is_replaced_or_removed_without_a_trace() {
    let flags = || Flags { enable_debug_sidecar: true, ..Flags::default() };
    let manual = || run().flags(flags()).manual();
    let once = manual().manifests(WEB);
    assert_eq!(manual().manifests(&once), once);
    let anchors = crate::core::trust::TrustAnchors::parse(ANCHORS).unwrap();
    assert!(once.contains(&format!("linkerd.io/trust-root-sha256: {}\n", anchors.sha256())));
    let back = uninjected(&once);
    let expected = web_annotated("config.linkerd.io/enable-debug-sidecar", "\"true\"") + "---\n";
    assert_eq!(back.manifests, expected);
    assert_eq!(back.report.render(false), "\ndeployment \"web\" uninjected\n\n");
    let cni = run().values("cniEnabled: true").manual().manifests(WEB);
    assert!(cni.contains("name: linkerd-network-validator"));
    assert_eq!(uninjected(&cni).manifests, format!("{WEB}---\n"));
}

// injector 67.
#[test]
fn a_proxy_written_by_hand_names_its_owner_and_program() {
    let manual = run().manual().manifests(WEB);
    assert!(manual.contains(&format!("linkerd.io/created-by: linkerd/cli {}\n", crate::VERSION)));
    assert!(manual.contains("linkerd.io/proxy-deployment: web\n"));
    assert!(manual.contains("linkerd.io/workload-ns: \"\"\n"));
    assert!(!manual.contains("linkerd.io/inject"));
    let pod = "kind: Pod\nmetadata: {generateName: web-, namespace: x}\nspec: {containers: [{name: web, ports: [{containerPort: 3306}]}]}\n";
    let transformed = run().manual().on(pod).unwrap();
    assert!(!transformed.manifests.contains("linkerd.io/proxy-pod"));
    assert!(!transformed.manifests.contains("config.linkerd.io/opaque-ports"));
    assert!(transformed.manifests.contains("linkerd.io/workload-ns: x\n"));
    assert_eq!(transformed.report.render(false), "\npod \"web-\" injected\n\n");
}

#[test]
fn a_value_that_is_ignored_while_a_proxy_is_written_is_reported() {
    let text = web_annotated("config.linkerd.io/admin-port", "abc");
    let report = run().manual().report(&text);
    assert!(report.contains("\u{203c} deployment/web: config.linkerd.io/admin-port on the pod: \"abc\""), "{report}");
    let close_wait = web_annotated("config.linkerd.io/close-wait-timeout", "1h");
    assert!(run().manual().error(&close_wait).contains("failed to inject deployment/web: annotation"));
}

// cli 69.
#[test]
fn values_without_trust_anchors_cannot_write_a_proxy() {
    let error = Manual::new(Values::default(), "linkerd").unwrap_err().to_string();
    assert_eq!(error, "Please provide the identity trust anchors");
}

// cli 26.
#[test]
fn a_verbose_report_has_every_check() {
    let report = run().on(WEB).unwrap().report.render(true);
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with('\u{221a}')).count(), 6);
    assert_eq!(lines[7..], ["", "deployment \"web\" injected", ""]);
}

// cli 28, 29, 30.
#[test]
fn uninjection_keeps_what_is_the_users() {
    let flags = Flags { admin_port: Some(1), ..Flags::default() };
    let back = uninjected(&run().flags(flags).manifests(WEB));
    assert_eq!(back.manifests, web_annotated("config.linkerd.io/admin-port", "\"1\"") + "---\n");
    let disabled = web_annotated("linkerd.io/inject", "disabled");
    let back = uninjected(&disabled);
    assert_eq!(back.manifests, format!("{disabled}---\n"));
    assert_eq!(back.report.render(false), "\ndeployment \"web\" skipped\n\n");
    let native = "kind: Pod\nmetadata:\n  name: p\nspec:\n  containers:\n  - name: a\n  initContainers:\n  - name: linkerd-proxy\n";
    assert!(!uninjected(native).manifests.contains("initContainers"));
    let component = "kind: Service\nmetadata:\n  labels: {linkerd.io/control-plane-component: x}\n";
    assert_eq!(uninjected(component).manifests, format!("{component}---\n"));
}

#[test]
fn empty_fields_of_tools_are_dropped() {
    let text = web_with("").replace("spec:\n  selector", "status: {}\nspec:\n  strategy: {}\n  selector");
    let text = text.replace("        x-unknown: kept\n", "        x-unknown: kept\n        resources: {}\n");
    let text =
        text.replace("    metadata:\n      labels", "    metadata:\n      creationTimestamp: null\n      labels");
    assert_eq!(run().manifests(&text), web_annotated("linkerd.io/inject", "enabled") + "---\n");
}
