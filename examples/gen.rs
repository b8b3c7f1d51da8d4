fn main() {
    for m in railweave::manifests::crds().unwrap() {
        std::fs::write(format!("manifests/crds/{}", m.file_name), m.yaml).unwrap();
    }
}
