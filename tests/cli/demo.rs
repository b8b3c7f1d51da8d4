use crate::support::{eight_networks, railweave};

#[test]
fn the_demo_shows_the_guide_end_to_end() {
    let run = railweave(&["demo"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    for line in [
        "   All 16 objects: 16 accepted, 0 denied, 24 spellings mended.\n",
        "   In force: 8 pools and 8 networks in 1 group.\n",
        "   decision  injected: rdma-network=8 networks\n",
        &format!("+     k8s.v1.cni.cncf.io/networks: '{}'\n", eight_networks()),
        "+         spidernet.io/gpu8sriov: \"1\"\n",
        "without the annotation   left exactly as it is",
        "with a mistyped group    denied, and told why:\n",
        "UnknownGroup: pod default/ai-training-*",
    ] {
        assert!(run.out.contains(line), "{line}\n{}", run.out);
    }
    assert!(!run.out.contains('\u{1b}'), "no colours in a pipe");
}
