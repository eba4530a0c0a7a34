"""The program `drim-sim`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="drim-sim",
    help="The world around a gateway: imaging centres, viewers, and a demo of it all.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # which would keep the line ends of the docstrings
)


def _in_a_folder(file: Path | None) -> Path | None:
    if file is not None and not file.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {file.parent}")
    return file


@app.command()
def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when the story is over; else stay up.")
    ] = False,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="Write the outcome.", metavar="FILE", callback=_in_a_folder),
    ] = None,
    studies: Annotated[
        int | None,
        typer.Option("--studies", min=1, max=1000, help="How many, beside two that disagree."),
    ] = None,
    from_folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Play with the DICOM files of this folder.",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Keep what the programs write here.", metavar="DIR"),
    ] = None,
    port_base: Annotated[
        int | None,
        typer.Option(
            "--port-base",
            min=1024,
            max=65_000,
            help="First of five ports: gateway HTTP, DICOM and MLLP, index, centre.",
        ),
    ] = None,
) -> None:
    """Have real programs carry studies from a centre to a viewer. Exits 0 only if all held."""
    # Late: reading DICOM needs libraries that take seconds to load, and --help does not.
    from simulators.demo.performance import DemoOptions, run_demo

    options = DemoOptions(
        once=once,
        json=json,
        studies=studies,
        folder=from_folder,
        data_dir=data_dir,
        port_base=port_base,
    )
    raise typer.Exit(run_demo(options))


@app.command()
def centre(
    *,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where instances are kept; made if missing.")
    ],
    ae_title: Annotated[str, typer.Option("--ae-title", help="AE title of the PACS.")] = "PACS",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="0 takes any free port.")
    ] = 11_113,
    destination: Annotated[
        list[str] | None,
        typer.Option("--destination", help="Where it may move to.", metavar="AE=HOST:PORT"),
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option("--notify", help="Whom it tells of new studies.", metavar="AE=HOST:PORT"),
    ] = None,
    quiet_s: Annotated[
        float, typer.Option("--quiet-s", min=0, help="Seconds of quiet before it tells.")
    ] = 2.0,
) -> None:
    """Run a PACS on loopback until SIGTERM or Ctrl-C. Exits 2 on a bad address, 1 if it cannot.

    Says `listening HOST:PORT` when it does, then `notified STUDY EPOCH_MS` for each study.
    """
    from simulators.imaging_centre.dimse import DicomAddress
    from simulators.imaging_centre.program import run_centre

    try:
        destinations = [DicomAddress.parse(text) for text in destination or []]
        gateway = DicomAddress.parse(notify) if notify is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        run_centre(
            DicomAddress(ae_title, "127.0.0.1", port),
            folder,
            destinations=destinations,
            notify=gateway,
            quiet_s=quiet_s,
            say=typer.echo,
        )
    except OSError as error:
        typer.echo(f"drim-sim: {error}", err=True)
        raise typer.Exit(1) from None


_Mllp = Annotated[
    str, typer.Option("--mllp", help="Where the gateway listens.", metavar="HOST:PORT")
]
_Study = Annotated[str, typer.Option("--study", help="Study Instance UID.", metavar="UID")]
_Accession = Annotated[str, typer.Option("--accession", help="Accession number, as in the images.")]
_Ins = Annotated[str, typer.Option("--ins", help="National number of the patient, with its key.")]
_InsOid = Annotated[str, typer.Option("--ins-oid", help="Its authority; that of test numbers.")]
_LocalId = Annotated[str, typer.Option("--local-id", help="PatientID, as in the images.")]
_Issuer = Annotated[str, typer.Option("--local-id-issuer", help="OID of who gave it.")]
_Name = Annotated[str, typer.Option("--name", help="Birth name and given.", metavar="NAME^GIVEN")]
_Born = Annotated[
    str, typer.Option("--born", help="Birth date; else left out.", metavar="YYYYMMDD")
]
_Sex = Annotated[str, typer.Option("--sex", help="M or F; else it is not known.")]
_BornAt = Annotated[str, typer.Option("--birth-place", help="Code of the commune (COG).")]
_Modality = Annotated[str, typer.Option("--modality", help="CT, MR, CR, US, MG, NM, XA.")]
_Kind = Annotated[str, typer.Option("--kind", help="The message: oru or mdm.")]
_Document = Annotated[str, typer.Option("--document", help="Id of the document.", metavar="OID")]
_Replace = Annotated[
    str, typer.Option("--replace", help="Send what replaces this document.", metavar="ID")
]
_Delete = Annotated[str, typer.Option("--delete", help="Take this document back.", metavar="ID")]
_Version = Annotated[
    int | None, typer.Option("--version", min=1, help="Of the document; 2 for a replacement.")
]
_Flag = Annotated[
    list[str] | None,
    typer.Option(
        "--flag",
        help="An answer that is not the usual one. Usual are INVISIBLE_PATIENT=Y, which hides it "
        "from the patient, DESTDMP=Y, MASQUE_PS=N, INVISIBLE_REP_LEGAUX=N, CONNEXION_SECRETE=N, "
        "MODIF_CONF_CODE=N, DESTMSSANTEPS=N, DESTMSSANTEPAT=N, ACK_RECEPTION=N, ACK_LECTURE_MSS=N.",
        metavar="CODE=Y|N",
    ),
]
_Charset = Annotated[
    str, typer.Option("--charset", help="MSH-18: UNICODE UTF-8, 8859/1 or 8859/15.")
]
_Ca = Annotated[
    Path | None, typer.Option("--tls-ca", help="Speak TLS with whom these CA vouch for (PEM).")
]
_Certificate = Annotated[
    Path | None, typer.Option("--tls-certificate", help="Of the sender (PEM).")
]
_Key = Annotated[Path | None, typer.Option("--tls-key", help="Its key (PEM).")]


@app.command()
def report(
    *,
    mllp: _Mllp,
    study: _Study,
    accession: _Accession,
    ins: _Ins,
    local_id: _LocalId,
    ins_oid: _InsOid = "1.2.250.1.213.1.4.10",
    local_id_issuer: _Issuer = "1.2.250.1.213.4.5.2.4",
    name: _Name = "ESSAI^CAMILLE",
    born: _Born = "",
    sex: _Sex = "",
    birth_place: _BornAt = "99999",
    modality: _Modality = "CT",
    kind: _Kind = "oru",
    document: _Document = "",
    replace: _Replace = "",
    delete: _Delete = "",
    version: _Version = None,
    flag: _Flag = None,
    charset: _Charset = "UNICODE UTF-8",
    tls_ca: _Ca = None,
    tls_certificate: _Certificate = None,
    tls_key: _Key = None,
) -> None:
    """Send a gateway the report of a study, or what replaces it or takes it back.

    Prints `document ID` and `accepted CONTROL-ID` once it is taken. The same report again is the
    same document, so a replacement or a deletion may be told by the ID that was printed. Exits 1
    if the gateway does not answer or refuses it, saying why; 2 on a bad option.

    drim-sim report --mllp 127.0.0.1:2575 --study 1.2.3 --accession A1 --ins 155059999900196
    --local-id IPP1
    """
    from simulators.imaging_centre import reporting

    options = reporting.ReportOptions(
        study_uid=study, accession=accession, ins=ins, ins_oid=ins_oid, local_id=local_id,
        local_id_issuer=local_id_issuer, name=name, birth_date=born, sex=sex,
        birth_place=birth_place, modality=modality, kind=kind, document_id=document,
        replaces=replace, deletes=delete, version=version, flags=tuple(flag or ()),
        charset=charset,
    )  # fmt: skip
    place = reporting.Place(mllp=mllp, ca=tls_ca, certificate=tls_certificate, key=tls_key)
    with _told():
        reporting.tell(options, place, say=typer.echo)


@contextmanager
def _told() -> Iterator[None]:
    """A fault ends the program with what is wrong."""
    from simulators.imaging_centre.mllp import NotAcknowledged

    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except NotAcknowledged as error:
        typer.echo(f"drim-sim: {error}" + (f": {error.reason}" if error.reason else ""), err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"drim-sim: {error}", err=True)
        raise typer.Exit(1) from None
