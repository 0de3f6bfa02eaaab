use serde_json::json;

use super::*;

fn documents() -> Vec<Value> {
    yaml::documents(include_str!("../../../tests/fixtures/samples/18-applicationrevisions-helm-hello.yaml")).unwrap()
}

fn kept() -> Vec<Kept> {
    documents().into_iter().map(Kept::of).collect()
}

/// The same revision as a default installation keeps it.
fn packed(mut revision: Value, kind: &str) -> Value {
    use base64::Engine as _;
    use std::io::Write as _;
    let content = json!({"application": revision["spec"]["application"]}).to_string();
    let bytes = if kind == "zstd" {
        ruzstd::encoding::compress_to_vec(content.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest)
    } else {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(content.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let data = base64::engine::general_purpose::STANDARD.encode(bytes);
    revision["spec"] = json!({
        "application": {"metadata": {}, "spec": {"components": []}, "status": {}},
        "compression": {"type": kind, "data": data},
    });
    revision
}

fn app() -> AppKey {
    AppKey::new("default", "helm-hello")
}

#[test]
fn rows_say_what_each_changed_and_how_it_ended() {
    let application = json!({
        "metadata": {"managedFields": [
            {"manager": "kubectl-edit", "time": "2026-07-15T10:01:58Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "vela", "time": "2026-07-15T11:00:00Z", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "long-before", "time": "2026-07-14T11:00:00Z", "fieldsV1": {"f:spec": {}}},
        ]},
        "status": {"latestRevision": {"name": "helm-hello-v2"}, "workflow": {
            "appRevision": "helm-hello-v2", "status": "suspending", "suspend": true,
        }},
    });
    let rows = rows(&application, &kept());
    let told: Vec<_> = rows
        .iter()
        .map(|row| (&*row.name, row.is_current, row.outcome.as_str(), &*row.changed, row.by.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            ("helm-hello-v2", true, "suspended", "override-foo", Some("kubectl-edit")),
            ("helm-hello-v1", false, "succeeded", "the first", None),
        ]
    );
    assert_eq!(rows[0].created_at, Some("2026-07-15T10:02:00Z".parse().unwrap()));
    // Just after the edit the application tells of the run before.
    let mut stale = application.clone();
    stale["status"]["workflow"] = json!({"appRevision": "helm-hello-v1", "status": "succeeded", "finished": true});
    assert_eq!(super::rows(&stale, &kept())[0].outcome, Outcome::Running);
    // An edit after the revision was another's.
    let mut later = application.clone();
    later["metadata"]["managedFields"][0]["time"] = json!("2026-07-15T12:00:00Z");
    assert_eq!(super::rows(&later, &kept())[0].by, None);
}

#[test]
fn packed_revisions_say_the_same_as_plain_ones() {
    for kind in ["zstd", "gzip"] {
        let unpacked: Vec<Kept> = documents().into_iter().map(|one| Kept::of(packed(one, kind))).collect();
        let contents = |kept: &[Kept]| kept.iter().map(|one| one.content.clone().unwrap()).collect::<Vec<_>>();
        assert_eq!(contents(&unpacked), contents(&kept()), "{kind}");
    }
}

#[test]
fn one_that_cannot_be_unpacked_is_told_and_the_rest_goes_on() {
    let mut broken = packed(documents().remove(0), "zstd");
    broken["spec"]["compression"]["data"] = json!("AAAA");
    let rows = rows(&Value::Null, &[Kept::of(broken), Kept::of(documents().remove(1))]);
    assert_eq!(&*rows[0].changed, "the one before cannot be read");
    assert!(rows[1].changed.contains("cannot be unpacked"), "{}", rows[1].changed);
}

#[test]
fn two_are_compared_in_three_parts() {
    let mut contents = kept().into_iter().map(|one| one.content.unwrap());
    let (before, after) = (contents.next().unwrap(), contents.next().unwrap());
    let report = compared("v1 › v2".to_owned(), &app(), &before, &after);
    let told: Vec<_> = report.sections.iter().map(|section| (&*section.heading, section.verdict.as_str())).collect();
    assert_eq!(
        told,
        [
            ("spec", "same"),
            ("to local/default by deploy2local", "same"),
            ("to foo/default by deploy2foo", "differs"),
            ("policy topology-local (topology)", "same"),
            ("policy topology-foo (topology)", "same"),
            ("policy override-local (override)", "same"),
            ("policy override-foo (override)", "differs"),
        ]
    );
    let foo = report.sections[2].unified();
    assert!(foo.contains("\n-        MESSAGE: Welcome to Your New Foo Cluster!\n+        MESSAGE: "), "{foo}");
    // The other way round, and with a policy and a target less.
    let mut less = before.clone();
    less.spec["policies"].as_array_mut().unwrap().remove(3);
    less.spec["workflow"]["steps"].as_array_mut().unwrap().pop();
    let report = compared(String::new(), &app(), &before, &less);
    let gone: Vec<_> = report
        .sections
        .iter()
        .filter(|section| section.verdict == crate::model::diff::Verdict::Gone)
        .map(|section| &*section.heading)
        .collect();
    assert_eq!(gone, ["to foo/default by deploy2foo", "policy override-foo (override)"]);
}

#[test]
fn definitions_are_named_and_kept_out_of_what_was_said() {
    let mut revision = documents().remove(0);
    revision["spec"]["componentDefinitions"] = json!({"helm": {"spec": {}}, "webservice": {}});
    revision["spec"]["traitDefinitions"] = json!({});
    let kept = Kept::of(revision);
    assert_eq!(kept.definitions, ["componentDefinitions: helm, webservice"]);
    assert!(kept.content.is_ok());
}

#[test]
fn who_made_an_older_revision_is_told_as_long_as_managed_fields_know() {
    let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let application = json!({"metadata": {"managedFields": [
        {"manager": "kubectl", "time": "2026-07-15T10:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "argocd", "time": "2026-07-15T12:00:00Z", "fieldsV1": {"f:spec": {}}},
    ]}});
    assert_eq!(writer(&application, at("2026-07-15T10:00:01Z"), false).as_deref(), Some("kubectl"));
    assert_eq!(writer(&application, at("2026-07-15T11:00:00Z"), false), None, "nobody wrote then");
    assert_eq!(writer(&application, at("2026-07-15T09:59:59Z"), false), None, "written after it");
    assert_eq!(writer(&application, at("2026-07-15T12:00:02Z"), true).as_deref(), Some("argocd"));
    assert_eq!(writer(&application, None, true), None);
}
