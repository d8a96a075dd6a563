//! Charts in, manifests out: Go templates with the functions that Helm adds, as far as the charts use them.
//!
//! What a template sees is what Helm shows it: `.Values`, `.Release` and `.Chart`. `.Release.Service` is
//! `CLI` here.

mod convert;
mod functions;
mod yaml;

pub use yaml::to_yaml;

use super::charts::{Chart, Template as File};
use anyhow::{Context as _, anyhow, bail};
use gotmpl::{Template, TemplateError};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};

/// Renders every template of a chart, in order. Returns the path of each with what it gave.
///
/// `values` are the final ones: defaults, and what the user sets.
///
/// # Errors
/// When a template refuses the values, with the reason that it gives, or cannot be rendered.
pub fn render(chart: &Chart, values: &Value, namespace: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    let engine = Engine::new(chart)?;
    let data = convert::from_json(&context(chart, values, namespace)?);
    let mut rendered = Vec::new();
    for file in chart.templates.iter().filter(|file| !is_partial(file)) {
        let text = engine.execute(file.path, &data)?;
        if text.contains("<no value>") {
            bail!("{}/templates/{}: a value is missing", chart.name, file.path);
        }
        rendered.push((file.path, text));
    }
    Ok(rendered)
}

/// Renders one named template of a chart.
///
/// # Errors
/// When there is none of that name, or it cannot be rendered.
pub fn render_named(chart: &Chart, name: &str, values: &Value, namespace: &str) -> anyhow::Result<String> {
    let data = convert::from_json(&context(chart, values, namespace)?);
    Engine::new(chart)?.execute(name, &data)
}

/// What templates see.
fn context(chart: &Chart, values: &Value, namespace: &str) -> anyhow::Result<Value> {
    let metadata: Value =
        serde_saphyr::from_str(chart.metadata).with_context(|| format!("{}/Chart.yaml", chart.name))?;
    Ok(json!({
        "Values": values,
        "Release": {
            "Name": "linkerd",
            "Namespace": namespace,
            "Service": "CLI",
            "IsInstall": true,
            "IsUpgrade": false,
            "Revision": 1,
        },
        "Chart": {
            "Name": metadata["name"],
            "Version": metadata["version"],
            "AppVersion": metadata["appVersion"],
        },
    }))
}

/// All templates of a chart, each under its path.
///
/// In a cell, since the functions `include` and `tpl` call back into it.
struct Engine(Arc<OnceLock<Template>>);

impl Engine {
    fn new(chart: &Chart) -> anyhow::Result<Self> {
        let cell = Arc::new(OnceLock::new());
        let mut engine = Template::new(chart.name).funcs(functions::all(&Arc::downgrade(&cell)));
        for file in chart.templates {
            let text = match is_partial(file) {
                true => file.text.to_owned(),
                false => format!("{{{{ define {:?} }}}}{}{{{{ end }}}}", file.path, file.text),
            };
            engine = engine.parse(&text).with_context(|| format!("{}/templates/{}", chart.name, file.path))?;
        }
        cell.get_or_init(|| engine);
        Ok(Self(cell))
    }

    fn execute(&self, name: &str, data: &gotmpl::Value) -> anyhow::Result<String> {
        let engine = self.0.get().ok_or_else(|| anyhow!("{name}: no templates"))?;
        engine.execute_template_to_string(name, data).map_err(|error| said(name, error))
    }
}

fn is_partial(file: &File) -> bool {
    file.path.ends_with(".tpl")
}

/// The text of an error. What a template says by `fail` is for users and stands alone.
fn said(template: &str, error: TemplateError) -> anyhow::Error {
    match error {
        TemplateError::Exec(text) => match text.strip_prefix(functions::FAIL) {
            Some(reason) => anyhow!("{reason}"),
            None => anyhow!("{template}: {text}"),
        },
        other => anyhow!("{template}: {other}"),
    }
}

#[cfg(test)]
mod tests;
