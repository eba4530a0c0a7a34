"""What is burned into a picture when annotations are asked for (PS3.18 §8.3.5.1.1)."""

from pydicom import Dataset

from gateway.pixels.attributes import number, text


def patient_lines(header: Dataset) -> list[str]:
    """Whose picture it is."""
    born, sex = day(text(header, "PatientBirthDate")), text(header, "PatientSex")
    told = [
        person(text(header, "PatientName")),
        " ".join(filter(None, (born, sex))),
        text(header, "PatientID"),
    ]
    return [line for line in told if line]


def technique_lines(header: Dataset, *, frame: int, frames: int) -> list[str]:
    """How it was made, and which one of the study's it is."""
    modality, made = text(header, "Modality"), text(header, "AcquisitionDate")
    names = [text(header, name) for name in ("StudyDescription", "SeriesDescription")]
    image = f"Im {text(header, 'InstanceNumber')}".rstrip()
    if frames > 1:
        image += f" ({frame}/{frames})"
    measures = [
        f"{value:g} {unit}"
        for name, unit in (("KVP", "kV"), ("SliceThickness", "mm"), ("SliceLocation", "mm"))
        if (value := number(header, name)) is not None
    ]
    told = [
        " ".join(filter(None, (modality, day(made or text(header, "StudyDate"))))),
        *names,
        text(header, "InstitutionName"),
        " ".join((image, *measures)),
    ]
    return [line for line in told if line]


def person(name: str) -> str:
    """A person name in the order in which it is said (PS3.5 §6.2.1.1)."""
    family, given, middle, prefix, suffix = [*name.split("=")[0].split("^"), *[""] * 5][:5]
    return " ".join(filter(None, (prefix, family, given, middle, suffix)))


def day(date: str) -> str:
    """A date (DA) as it is written in France; another text as it is."""
    if len(date) != 8 or not date.isdigit():
        return date
    return f"{date[6:]}/{date[4:6]}/{date[:4]}"
