"""oci.py OUT BINARY...: packs static binaries as an OCI image layout in a tar file (image-spec 1.1).

The same binaries, VERSION, ARCHITECTURE and SOURCE_DATE_EPOCH give the same bytes: names sorted, times fixed, no owner names.
Also carries the manifest.json that `docker load` looks for.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import time

EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
VERSION = os.environ["VERSION"]
ARCHITECTURE = os.environ["ARCHITECTURE"]
NAME = "railweave"
# Nobody in particular; the chart runs it as the same user.
USER = 65532
# Memory that is free goes back to the system after 10 ms, not after a second; as in the Dockerfile and the Makefile.
ENVIRONMENT = ["MIMALLOC_PURGE_DELAY=10"]


def tar(files):
    """Files as (name, bytes, mode), in one tar with nothing in it that changes from run to run."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), mode, EPOCH
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def blob(content):
    digest = hashlib.sha256(content).hexdigest()
    return digest, (f"blobs/sha256/{digest}", content, 0o644)


def document(value):
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def descriptor(kind, digest, content, **more):
    media_type = f"application/vnd.oci.image.{kind}"
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), **more}


def image(binaries):
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
    layer = tar([(name, binary, 0o755) for name, binary in sorted(binaries.items())])
    packed = gzip.compress(layer, compresslevel=9, mtime=0)
    labels = {
        "org.opencontainers.image.title": NAME,
        "org.opencontainers.image.version": VERSION,
        "org.opencontainers.image.licenses": "Apache-2.0",
    }
    config = document({
        "architecture": ARCHITECTURE,
        "os": "linux",
        "created": created,
        "config": {
            "User": f"{USER}:{USER}",
            "Env": ENVIRONMENT,
            "Entrypoint": ["/railweave"],
            "Cmd": ["controller"],
            "ExposedPorts": {"5720/tcp": {}, "5722/tcp": {}},
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        "history": [{"created": created, "created_by": "railweave image"}],
    })
    layer_digest, layer_blob = blob(packed)
    config_digest, config_blob = blob(config)
    manifest = document({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", config_digest, config),
        "layers": [descriptor("layer.v1.tar+gzip", layer_digest, packed)],
        "annotations": labels,
    })
    manifest_digest, manifest_blob = blob(manifest)
    reference = {"org.opencontainers.image.ref.name": VERSION, "io.containerd.image.name": f"{NAME}:{VERSION}"}
    index = document({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor(
            "manifest.v1+json",
            manifest_digest,
            manifest,
            platform={"architecture": ARCHITECTURE, "os": "linux"},
            annotations=reference,
        )],
    })
    docker = document([{
        "Config": config_blob[0],
        "RepoTags": [f"{NAME}:{VERSION}"],
        "Layers": [layer_blob[0]],
    }])
    files = [
        ("oci-layout", document({"imageLayoutVersion": "1.0.0"}), 0o644),
        ("index.json", index, 0o644),
        ("manifest.json", docker, 0o644),
        *sorted([layer_blob, config_blob, manifest_blob]),
    ]
    return tar(files), len(packed), manifest_digest


def main():
    target, *sources = sys.argv[1:]
    binaries = {}
    for source in sources:
        with open(source, "rb") as file:
            binaries[os.path.basename(source)] = file.read()
    archive, packed, digest = image(binaries)
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    with open(target, "wb") as file:
        file.write(archive)
    print(f"{target}: {NAME}:{VERSION}, sha256:{digest}")
    for name, binary in binaries.items():
        print(f"{name} {len(binary) / 1e6:.1f} MB")
    print(f"image {packed / 1e6:.1f} MB compressed")


main()
