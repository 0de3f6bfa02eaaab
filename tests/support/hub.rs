//! The hub of a simulated estate, reached as lateen reaches a real one: by a kubeconfig.

use lateen::{
    cluster::{Connect, Hub},
    demo::Estate,
};

/// By a context of the estate's kubeconfig: `hub` may everything, `hub-reader`, `hub-operator` and `hub-namespaced` less.
pub(crate) fn hub(estate: &Estate, context: &str) -> Hub {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    std::fs::write(&file, estate.kubeconfig()).unwrap();
    Hub::load(&Connect { kubeconfig: Some(file), context: Some(context.to_owned()), ..Connect::default() }).unwrap()
}
