//! Drafts of objects being edited: files in the state directory, for the operator's eyes alone, kept until they have
//! landed or are thrown away.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::state_dir;
use crate::model::resource::ResourceKey;

/// The drafts of one hub.
#[derive(Clone, Debug)]
pub(super) struct Drafts {
    dir: PathBuf,
    hub: String,
}

impl Drafts {
    /// Those of a hub, by its server's URL.
    pub(super) fn open(hub: &str) -> io::Result<Self> {
        Self::within(&state_dir()?, hub)
    }

    fn within(state: &Path, hub: &str) -> io::Result<Self> {
        let dir = state.join("drafts");
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self { dir, hub: hub.to_owned() })
    }

    /// Where the draft of an object is, or would be. Its name ends as editors like to see it.
    pub(super) fn path(&self, key: &ResourceKey) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        (&self.hub, key).hash(&mut hasher);
        let name: String = format!("{}-{}", key.kind, key.name)
            .chars()
            .map(|char| if char.is_ascii_alphanumeric() || char == '-' { char } else { '_' })
            .take(80)
            .collect();
        self.dir.join(format!("{name}-{:016x}.yaml", hasher.finish()))
    }

    fn base(&self, key: &ResourceKey) -> PathBuf {
        self.path(key).with_extension("base.json")
    }

    /// Whether there is one.
    pub(super) fn is_kept(&self, key: &ResourceKey) -> bool {
        self.path(key).exists() && self.base(key).exists()
    }

    /// Keeps a draft, and the object that it was made from.
    pub(super) fn keep(&self, key: &ResourceKey, base: &Value, text: &str) -> io::Result<()> {
        write(&self.base(key), base.to_string().as_bytes())?;
        write(&self.path(key), text.as_bytes())
    }

    /// The object that a draft was made from, and its text.
    pub(super) fn read(&self, key: &ResourceKey) -> io::Result<(Value, String)> {
        let base = serde_json::from_slice(&fs::read(self.base(key))?)?;
        Ok((base, fs::read_to_string(self.path(key))?))
    }

    /// Throws a draft away.
    pub(super) fn discard(&self, key: &ResourceKey) {
        for path in [self.path(key), self.base(key)] {
            // One that is not there need not be thrown away.
            let _ = fs::remove_file(path);
        }
    }
}

/// Writes a file that nobody else may read.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::key::ClusterId;

    #[test]
    fn a_draft_is_kept_for_its_owner_alone_until_it_is_thrown_away() {
        let state = tempfile::tempdir().unwrap();
        let drafts = Drafts::within(state.path(), "https://one").unwrap();
        let key = ResourceKey {
            cluster: ClusterId::named("foo"),
            group: "rbac.authorization.k8s.io".into(),
            kind: "ClusterRole".into(),
            namespace: "".into(),
            name: "system:a/b".into(),
        };
        assert!(!drafts.is_kept(&key));
        drafts.keep(&key, &json!({"a": 1}), "a: 2\n").unwrap();
        assert!(drafts.is_kept(&key));
        assert_eq!(drafts.read(&key).unwrap(), (json!({"a": 1}), "a: 2\n".to_owned()));
        let mode = fs::metadata(drafts.path(&key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let elsewhere = Drafts::within(state.path(), "https://two").unwrap();
        assert!(!elsewhere.is_kept(&key), "another hub's object is another object");
        drafts.discard(&key);
        assert!(!drafts.is_kept(&key));
    }
}
