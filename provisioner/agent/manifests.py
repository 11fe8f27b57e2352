"""What manifests say: files with size, hash and mode, by the machine that saved them."""


def files_of(manifest):
    return [file for part in manifest["parts"] for file in part["files"]]


def blobs(manifest):
    return {file["sha256"] for file in files_of(manifest)}


def by_entry(manifest, folders, opened):
    """Entry of one of the folders (what lies in it, or in an opened one) -> files, as a manifest lists them."""
    found, tops = {}, {*folders, *opened}
    for file in files_of(manifest) if manifest else []:
        found.setdefault(entry_of(file["path"], tops), []).append(file)
    return found


def entry_of(path, tops):
    """The part of the path just below the deepest of those folders."""
    names = path.split("/")
    for size in range(len(names) - 1, 0, -1):
        if "/".join(names[:size]) in tops:
            return "/".join(names[: size + 1])
    return path
