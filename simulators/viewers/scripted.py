"""A viewer that does by itself what a doctor would do: find a patient's images and fetch them all.

It is given the patient's national number, its gateway and the index. Everything else it learns on
the way: the pointers from the gateway, the manifests from the index, the addresses of the images
from the manifests.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import BodyPartReader, ClientSession, MultipartReader
from pydicom import dcmread

from simulators.digest import digest_of
from simulators.viewers.index_search import (
    KOS_TYPE,
    UnexpectedAnswer,
    fetch_document,
    find_documents,
)
from simulators.viewers.manifest import ListedSeries, Manifest, read_manifest

AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
INSTANCE_BYTES_MAX = 1024 * 1024 * 1024
_IN_MEMORY_BYTES_MAX = 8 * 1024 * 1024  # a larger instance waits on the disk
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewedStudy:
    """A study as it came back."""

    study_uid: str
    listed: frozenset[str]
    """SOP Instance UIDs in the manifest."""
    digests: Mapping[str, str]
    """Digest of each instance that came, by its SOP Instance UID. A series may hold more than a
    manifest may list (a dose report, a PDF), and comes whole."""
    bytes_fetched: int
    """Bytes of the Part 10 files, without the multipart around them."""
    faults: tuple[str, ...]
    """What a viewer would complain of, in words; none if all was well."""


class ScriptedViewer:
    """Finds and fetches through one gateway, with no right but that of open access."""

    def __init__(self, session: ClientSession, *, gateway_url: str, index_url: str) -> None:
        self._session = session
        self._gateway_url, self._index_url = gateway_url, index_url

    async def view(self, *, ins: str, oid: str) -> list[ViewedStudy]:
        """Every study that the patient's pointers lead to, fetched whole.

        Raises:
            UnexpectedAnswer: a search is not answered as it should be.
            UnreadableManifest: a pointer's document is no manifest.
            aiohttp.ClientError: a program does not answer.
        """
        pointers = await self._search(ins, oid)
        documents = await find_documents(self._session, self._index_url, ins=ins, oid=oid)
        by_id = {d.unique_id: d for d in documents if d.type_code == KOS_TYPE}
        studies = []
        for document_id, study_uid in pointers.items():
            if document_id not in by_id:
                raise UnexpectedAnswer("the gateway shows a pointer that the index does not")
            manifest = read_manifest(await fetch_document(self._session, by_id[document_id]))
            if (manifest.unique_id, manifest.study_uid) != (document_id, study_uid):
                raise UnexpectedAnswer("a pointer leads to the manifest of something else")
            studies.append(await self._fetch(manifest))
        return studies

    async def _search(self, ins: str, oid: str) -> dict[str, str]:
        url = f"{self._gateway_url}/api/pointers/search"
        async with self._session.post(url, json={"ins": ins, "oid": oid}) as response:
            if response.status != 200:
                raise UnexpectedAnswer(f"the search for pointers was answered {response.status}")
            found = await response.json()
        return {pointer["document_id"]: pointer["study_uid"] for pointer in found["pointers"]}

    async def _fetch(self, manifest: Manifest) -> ViewedStudy:
        came: list[_Came] = []
        faults: list[str] = []
        for series in manifest.series:
            try:
                instances = await self._fetch_series(series)
            except UnexpectedAnswer as error:
                faults.append(str(error))
            else:
                came += instances
                faults += _compare(series.instances, instances)
        return ViewedStudy(
            study_uid=manifest.study_uid,
            listed=manifest.listed,
            digests={instance.uid: instance.digest for instance in came},
            bytes_fetched=sum(instance.size_bytes for instance in came),
            faults=tuple(faults),
        )

    async def _fetch_series(self, series: ListedSeries) -> list["_Came"]:
        """Each instance of the series, by its RetrieveURL (PS3.18 §10.4.1.1.1)."""
        url, headers = series.retrieve_url, {"Accept": AS_STORED}
        async with self._session.get(url, headers=headers) as response:
            if response.status != 200:
                raise UnexpectedAnswer(f"a RetrieveURL was answered {response.status}")
            if response.content_type != "multipart/related":
                raise UnexpectedAnswer(f"a RetrieveURL gave {response.content_type}")
            came = []
            async for part in MultipartReader.from_response(response):
                if not isinstance(part, BodyPartReader):
                    raise UnexpectedAnswer("a part holds parts of its own")
                came.append(await _receive(part))
            return came


@dataclass(frozen=True, slots=True)
class _Came:
    uid: str
    digest: str
    size_bytes: int


async def _receive(part: BodyPartReader) -> _Came:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES_MAX) as file:
        size = 0
        while chunk := await part.read_chunk(_CHUNK_BYTES):
            size += len(chunk)
            if size > INSTANCE_BYTES_MAX:
                raise UnexpectedAnswer("an instance does not end")
            file.write(chunk)
        file.seek(0)
        try:
            uid = str(dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
            file.seek(0)
            return _Came(uid, digest_of(file), size)
        except Exception as error:  # pydicom raises whatever its parts raise on what is cut short
            raise UnexpectedAnswer("an instance cannot be read") from error


def _compare(listed: frozenset[str], came: list[_Came]) -> list[str]:
    counts = Counter(instance.uid for instance in came)
    faults = []
    if missing := len(listed - counts.keys()):
        faults.append(f"{missing} of {len(listed)} listed instances did not come")
    if twice := sum(count > 1 for count in counts.values()):
        faults.append(f"{twice} instances came more than once")
    return faults
