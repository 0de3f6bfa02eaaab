//! Scenarios: what an estate holds when it starts, as YAML.
//!
//! A scenario is a stream of Kubernetes objects, each with one key more, `cluster`, that says where it goes (a
//! name, or a list of names; the hub is `local`). An object with a status is *placed*: it stands there as it is,
//! and the label `estate.lateen.dev/placed` tells the controllers to leave it alone; nodes are everybody's. One with
//! a spec alone is *played*: the controllers do the rest.
//!
//! A placed Application may have a key `record`: what KubeVela wrote down of it beside what is in it
//! (`controllers::placed`). Documents of `ESTATE` are no objects: `Forbidden` is a kind (by its qualified name)
//! that a cluster lets nobody see, `Uninstalled` one that it does not have.
//!
//! In strings, `${now}` and `${now-3h}` become times, and any other `${name}` what the estate fills in. A Secret's
//! `stringData` becomes `data`, as an API server does it.

use std::path::Path;

use serde_json::{Value, json};

/// Nodes, namespaces, KubeVela and Flux themselves.
const BARE: [File; 1] = [("bare.yaml", include_str!("../../assets/estate/bare.yaml"))];
/// What has been joined, installed and delivered when the estate opens.
const OPENING: [File; 2] = [
    ("joined.yaml", include_str!("../../assets/estate/joined.yaml")),
    ("applications.yaml", include_str!("../../assets/estate/applications.yaml")),
];

/// A scenario file: its name, and its text.
type File = (&'static str, &'static str);

const BAD_DAYS: File = ("bad-days.yaml", include_str!("../../assets/estate/bad-days.yaml"));
const ORDERS: File = ("bad-days-orders.yaml", include_str!("../../assets/estate/bad-days-orders.yaml"));
const RELEASES: File = ("bad-days-releases.yaml", include_str!("../../assets/estate/bad-days-releases.yaml"));
const HELD: File = ("held.yaml", include_str!("../../assets/estate/held.yaml"));
const RUNS: File = ("runs.yaml", include_str!("../../assets/estate/runs.yaml"));
const VELA_1_4: File = ("vela-1.4.yaml", include_str!("../../assets/estate/vela-1.4.yaml"));
const WORKLOADS: File = ("workloads.yaml", include_str!("../../assets/estate/workloads.yaml"));

/// Scenarios that `--scenario NAME` adds to what the estate opens with, and of which files each is made.
const NAMED: [(&str, &[File]); 5] = [
    ("bad-days", &[BAD_DAYS, ORDERS, RELEASES, HELD]),
    ("held", &[HELD]),
    ("runs", &[RUNS]),
    ("vela-1.4", &[VELA_1_4]),
    ("workloads", &[WORKLOADS]),
];
/// The name of all of them.
const ALL: &str = "all";
/// The label by which controllers leave an object alone.
const PLACED: &str = "estate.lateen.dev/placed";

/// The apiVersion of what a scenario says of a cluster itself.
pub(crate) const ESTATE: &str = "estate.lateen.dev/v1";

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not YAML.
    #[error("{scenario}: {source}")]
    Yaml {
        /// Which scenario.
        scenario: String,
        /// What is wrong, and where.
        source: Box<serde_yaml::Error>,
    },
    /// One of its documents is no object that can be placed.
    #[error(
        "{scenario}: document {number} has no {missing}; every object needs cluster, apiVersion, kind and metadata.name"
    )]
    Incomplete {
        /// Which scenario.
        scenario: String,
        /// Which document, from 1.
        number: usize,
        /// What it lacks.
        missing: &'static str,
    },
    /// There is none of that name, and no such file.
    #[error(
        "there is no scenario and no file \"{}\"; scenarios are {ALL}, {}",
        path.display(),
        NAMED.map(|(name, _)| name).join(", ")
    )]
    NoSuchScenario {
        /// What was asked for.
        path: std::path::PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A `${…}` that nobody can fill in.
    #[error("{scenario}: document {number} asks for \"${{{name}}}\", which the estate does not know")]
    Unknown {
        /// Which scenario.
        scenario: String,
        /// Which document, from 1.
        number: usize,
        /// What it asks for.
        name: String,
    },
}

/// What an estate opens with: (cluster, object) in the order in which they must be made. `empty` leaves bare
/// clusters. `fill` says what stands for `${foo.endpoint}`, `${foo.ca}`, `${foo.certificate}` and `${foo.key}`
/// in the Secret by which `foo` is joined.
pub fn embedded(empty: bool, fill: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(String, Value)>, Error> {
    let mut all = Vec::new();
    let opening = if empty { &[][..] } else { &OPENING[..] };
    for (name, text) in BARE.iter().chain(opening) {
        all.extend(parse(name, text, fill)?);
    }
    Ok(all)
}

/// The scenario that `--scenario` asks for: one of the embedded by name (`all` is every one of them), else a file.
pub fn asked(path: &Path, fill: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(String, Value)>, Error> {
    let wanted = path.to_str().unwrap_or_default();
    let mut files: Vec<File> = Vec::new();
    for file in NAMED.iter().filter(|(name, _)| wanted == ALL || wanted == *name).flat_map(|(_, files)| *files) {
        if !files.contains(file) {
            files.push(*file);
        }
    }
    if !files.is_empty() {
        let all: Result<Vec<_>, Error> = files.into_iter().map(|(name, text)| parse(name, text, fill)).collect();
        return Ok(all?.concat());
    }
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&path.display().to_string(), &text, fill),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound && path.components().count() == 1 => {
            Err(Error::NoSuchScenario { path: path.to_owned() })
        }
        Err(source) => Err(Error::Read { path: path.to_owned(), source }),
    }
}

/// Reads a scenario: (cluster, object) in its order.
pub fn parse(scenario: &str, text: &str, fill: &dyn Fn(&str) -> Option<String>) -> Result<Vec<(String, Value)>, Error> {
    let documents: Vec<Value> = serde_yaml::from_multiple(text)
        .map_err(|source| Error::Yaml { scenario: scenario.to_owned(), source: Box::new(source) })?;
    let mut all = Vec::new();
    for (at, mut document) in documents.into_iter().enumerate() {
        let number = at + 1;
        if document.is_null() {
            continue;
        }
        let incomplete = |missing| Error::Incomplete { scenario: scenario.to_owned(), number, missing };
        let clusters = document.as_object_mut().and_then(|map| map.shift_remove("cluster"));
        let clusters: Vec<String> = match clusters {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
            _ => return Err(incomplete("cluster")),
        };
        for (pointer, missing) in
            [("/apiVersion", "apiVersion"), ("/kind", "kind"), ("/metadata/name", "metadata.name")]
        {
            if document.pointer(pointer).and_then(Value::as_str).is_none() {
                return Err(incomplete(missing));
            }
        }
        for cluster in clusters {
            let mut object = document.clone();
            let local = |name: &str| if name == "cluster" { Some(cluster.clone()) } else { fill(name) };
            substitute(&mut object, &local).map_err(|name| Error::Unknown {
                scenario: scenario.to_owned(),
                number,
                name,
            })?;
            crate::demo::api::encode_secret(&mut object);
            if object["status"].is_object() && object["kind"] != "Node" {
                if !object["metadata"]["labels"].is_object() {
                    object["metadata"]["labels"] = json!({});
                }
                object["metadata"]["labels"][PLACED] = json!("true");
            }
            all.push((cluster, object));
        }
    }
    Ok(all)
}

/// Fills in every `${…}`; the error is the name of one that cannot be.
fn substitute(value: &mut Value, fill: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    match value {
        Value::Object(map) => map.values_mut().try_for_each(|value| substitute(value, fill)),
        Value::Array(all) => all.iter_mut().try_for_each(|value| substitute(value, fill)),
        Value::String(text) if text.contains("${") => {
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("${") {
                out.push_str(before);
                let Some((name, after)) = after.split_once('}') else {
                    rest = after;
                    break;
                };
                out.push_str(&time(name).or_else(|| fill(name)).ok_or_else(|| name.to_owned())?);
                rest = after;
            }
            out.push_str(rest);
            *text = out;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `now`, or `now-` and a duration, as Kubernetes writes times.
fn time(name: &str) -> Option<String> {
    let ago = match name.strip_prefix("now")? {
        "" => jiff::SignedDuration::ZERO,
        ago => ago.strip_prefix('-')?.parse::<jiff::Span>().ok().and_then(|span| {
            let days = jiff::SpanRelativeTo::days_are_24_hours();
            span.to_duration(days).ok()
        })?,
    };
    let at = jiff::Timestamp::now().checked_sub(ago).ok()?;
    Some(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    fn fill(name: &str) -> Option<String> {
        name.starts_with("foo.").then(|| format!("<{name}>"))
    }

    #[test]
    fn the_embedded_scenarios_can_be_read_and_name_clusters_that_exist() {
        let all = embedded(false, &fill).unwrap();
        assert!(all.iter().all(|(cluster, _)| cluster == "local" || cluster == "foo"));
        let applications = all.iter().filter(|(_, object)| object["kind"] == "Application").count();
        assert!(applications >= 5, "{applications}");
        let bare = embedded(true, &|_| None).unwrap();
        assert!(bare.iter().all(|(_, object)| object["kind"] != "Application"));
    }

    #[test]
    fn named_scenarios_hold_what_no_controller_plays() {
        let all = asked(Path::new(ALL), &|_| None).unwrap();
        let known = |api_version: &Value, kind: &Value| {
            api_version == ESTATE
                || crate::demo::kinds::of(api_version.as_str().unwrap(), kind.as_str().unwrap()).is_some()
        };
        for (cluster, object) in &all {
            assert!(cluster == "local" || cluster == "foo", "{cluster}");
            assert!(known(&object["apiVersion"], &object["kind"]), "{object}");
            let placed = object["metadata"]["labels"][PLACED] == "true";
            assert_eq!(placed, object["status"].is_object(), "{object}");
        }
        for kind in [
            "WorkflowRun",
            "StatefulSet",
            "DaemonSet",
            "Job",
            "CronJob",
            "HorizontalPodAutoscaler",
            "Kustomization",
            "PersistentVolumeClaim",
            "PodMetrics",
            "NodeMetrics",
            "Event",
            "Forbidden",
            "Uninstalled",
        ] {
            assert!(all.iter().any(|(_, object)| object["kind"] == kind), "{kind}");
        }
        let error = asked(Path::new("nope"), &|_| None).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no scenario and no file \"nope\"; scenarios are all, bad-days, held, runs, vela-1.4, workloads"
        );
    }

    #[test]
    fn foo_is_joined_as_vela_cluster_join_does_it() {
        let all = embedded(false, &fill).unwrap();
        let mark = "cluster.core.oam.dev/cluster-credential-type";
        let (_, secret) = all.iter().find(|(_, object)| !object["metadata"]["labels"][mark].is_null()).unwrap();
        assert_eq!(secret["metadata"]["name"], "foo");
        assert_eq!(secret["metadata"]["namespace"], "vela-system");
        assert_eq!(secret["data"]["endpoint"], STANDARD.encode("<foo.endpoint>"));
        assert!(secret.get("stringData").is_none());
    }

    #[test]
    fn strings_are_filled_in_and_what_cannot_be_is_said() {
        let text = "cluster: [local, foo]\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {at: '${now-1d2h}', where: 'in ${cluster}'}\n";
        let all = parse("mine.yaml", text, &|_| None).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].1["data"]["where"], "in foo");
        let at: jiff::Timestamp = all[0].1["data"]["at"].as_str().unwrap().parse().unwrap();
        let ago = jiff::Timestamp::now().duration_since(at);
        assert!((25..=27).contains(&ago.as_hours()), "{ago}");

        let error = parse("mine.yaml", &text.replace("${cluster}", "${what}"), &|_| None).unwrap_err();
        assert!(error.to_string().contains("${what}"), "{error}");
        let error = parse("mine.yaml", "cluster: foo\napiVersion: v1\nkind: Pod\n", &|_| None).unwrap_err();
        assert!(error.to_string().contains("metadata.name"), "{error}");
        assert!(parse("mine.yaml", "a: [", &|_| None).is_err());
    }
}
