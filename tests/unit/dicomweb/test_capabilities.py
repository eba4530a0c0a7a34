"""Descriptions of a service (PS3.18 Annex H)."""

from xml.etree import ElementTree

from gateway.dicomweb.capabilities import Transaction, as_json, describe, write_wadl

SEARCH = Transaction(title="Search", gives=("application/dicom+json",), query=("limit",))
STORE = Transaction(title="Store", takes=("multipart/related",), gives=("application/dicom+json",))
GET = Transaction(title="Retrieve", gives=("a/b", "c/d"))
METHODS = {
    "": {},
    "/studies": {"GET": SEARCH, "POST": STORE},
    "/studies/{study}": {"GET": GET},
    "/studies/{study}/bulkdata/{rest:path}": {"GET": GET},
}
BASE = "https://gateway.example/dicom-web"
WADL = "{http://wadl.dev.java.net/2009/02}"


def test_the_service_is_described_with_all_its_resources() -> None:
    document = ElementTree.fromstring(write_wadl(describe(METHODS, base_url=BASE, at="")))

    [resources] = document.findall(f"{WADL}resources")
    paths = [one.get("path") for one in resources.iter(f"{WADL}resource")]
    assert resources.get("base") == BASE
    assert paths == ["studies", "{study}", "bulkdata", "{rest}"]


def test_a_resource_is_described_with_what_lies_below_it() -> None:
    document = describe(METHODS, base_url=BASE, at="/studies/{study}")

    [resource] = document.findall("resources/resource")
    assert resource.get("path") == "studies/{study}"
    assert [one.get("path") for one in resource.iterfind("resource")] == ["bulkdata"]
    assert [one.attrib for one in resource.iterfind("param")] == [
        {"name": "study", "style": "template", "required": "true"}
    ]


def test_a_method_is_told_with_what_it_takes_and_gives() -> None:
    told = as_json(describe(METHODS, base_url=BASE, at="/studies"))

    [resource] = told["resources"]["resource"]
    search, store = resource["method"]
    assert (search["name"], search["doc"]) == ("GET", {"title": "Search"})
    assert search["request"]["param"] == [
        {"name": "Accept", "style": "header", "option": [{"value": "application/dicom+json"}]},
        {"name": "Accept-Charset", "style": "header", "option": [{"value": "UTF-8"}]},
        {"name": "limit", "style": "query"},
    ]
    assert store["request"]["representation"] == [{"mediaType": "multipart/related"}]
    assert store["response"] == [
        {"status": "200", "representation": [{"mediaType": "application/dicom+json"}]}
    ]
