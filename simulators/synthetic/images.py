"""The modules that differ from one kind of image to the next.

PS3.3 §A.2, A.3, A.4, A.5, A.7, A.14 and A.26.
"""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from simulators.synthetic import drawings
from simulators.synthetic.uids import uid_of

_US_FRAMES = 8
_STORED_BITS = 12


def make_ct(ds: Dataset, index: int, slices: int) -> None:
    """Make the data set the `index`-th of a chest's slices."""
    _put_gray(ds, drawings.draw_thorax_slice(index / slices, seed=index))
    _put_plane(ds, spacing_mm=2.8, thickness_mm=5.0, index=index)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.BodyPartExamined = "CHEST"
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    ds.KVP = 120
    ds.AcquisitionNumber = 1


def make_mr(ds: Dataset, index: int, slices: int) -> None:
    """Make the data set the `index`-th of a head's slices."""
    _put_gray(ds, drawings.draw_brain_slice(index / slices, seed=index))
    _put_plane(ds, spacing_mm=2.4, thickness_mm=6.0, index=index)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    ds.BodyPartExamined = "HEAD"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "NONE", ""
    ds.MRAcquisitionType = "2D"
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength = 500, 12, 1
    ds.MagneticFieldStrength = 1.5
    ds.AcquisitionNumber = 1
    ds.WindowCenter, ds.WindowWidth = 700, 1400


def make_cr(ds: Dataset, *, lateral: bool) -> None:
    """Make the data set a chest radiograph, from the front or from the side."""
    _put_gray(ds, drawings.draw_chest_projection(lateral, seed=int(lateral)))
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.BodyPartExamined = "CHEST"
    ds.ViewPosition = "LL" if lateral else "PA"
    ds.PatientOrientation = ["A", "F"] if lateral else ["L", "F"]
    ds.ImagerPixelSpacing = [1.5, 1.5]
    ds.AcquisitionNumber = 1
    ds.WindowCenter, ds.WindowWidth = 2048, 4096


def make_us(ds: Dataset) -> None:
    """Make the data set a colour clip with its timing and its calibrated region."""
    clip = drawings.draw_ultrasound_clip(_US_FRAMES, seed=int(ds.InstanceNumber))
    ds.Rows, ds.Columns = clip.shape[1:3]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = clip.tobytes()
    ds.ImageType = ["ORIGINAL", "PRIMARY", "ABDOMINAL", "0011"]
    ds.NumberOfFrames = _US_FRAMES
    ds.FrameTime = 40
    ds.FrameIncrementPointer = 0x00181063  # Frame Time
    ds.LossyImageCompression = "00"
    ds.BodyPartExamined = "ABDOMEN"
    ds.PatientOrientation = ""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = ds.Columns - 1, ds.Rows - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # cm
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.1
    ds.SequenceOfUltrasoundRegions = Sequence([region])


def make_mg(ds: Dataset, *, left: bool, oblique: bool) -> None:
    """Make the data set a mammogram for presentation: one breast, one of the two usual views."""
    _put_gray(ds, drawings.draw_breast_projection(left, oblique, seed=2 * left + oblique))
    side = "L" if left else "R"
    ds.ImageType = ["DERIVED", "PRIMARY"]
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.BodyPartExamined = "BREAST"
    ds.ImageLaterality = side
    ds.PatientOrientation = ["A" if left else "P", "FR" if oblique else side]
    ds.OrganExposed = "BREAST"
    ds.DetectorType = "DIRECT"
    ds.ImagerPixelSpacing = [0.8, 0.8]
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = 0, 1, "US"
    ds.PresentationLUTShape = "IDENTITY"
    ds.LossyImageCompression = "00"
    ds.WindowCenter, ds.WindowWidth = 1500, 3000
    ds.PositionerType, ds.PositionerPrimaryAngle = "MAMMOGRAPHIC", 45 if oblique else 0
    ds.FilterType, ds.KVP = "", 28
    ds.AnatomicRegionSequence = Sequence([_code("76752008", "SCT", "Breast")])
    view = (
        _code("399368009", "SCT", "medio-lateral oblique")
        if oblique
        else _code("399162004", "SCT", "cranio-caudal")
    )
    view.ViewModifierCodeSequence = Sequence([])
    ds.ViewCodeSequence = Sequence([view])
    ds.AcquisitionContextSequence = Sequence([])


def make_nm(ds: Dataset) -> None:
    """Make the data set a static scintigraphy of one frame: one energy window, one detector."""
    _put_gray(ds, drawings.draw_brain_slice(0.5, seed=int(ds.InstanceNumber)))
    ds.BitsStored, ds.HighBit = 16, 15
    ds.ImageType = ["ORIGINAL", "PRIMARY", "STATIC", "EMISSION"]
    ds.BodyPartExamined = "NECK"
    ds.PixelSpacing = [2.4, 2.4]
    ds.NumberOfFrames = 1
    ds.FrameIncrementPointer = [0x00540010, 0x00540020]  # Energy Window Vector, Detector Vector
    ds.NumberOfEnergyWindows, ds.EnergyWindowVector = 1, 1
    ds.NumberOfDetectors, ds.DetectorVector = 1, 1
    ds.CountsAccumulated = 250_000
    ds.ActualFrameDuration = 300_000  # ms
    ds.PatientOrientationCodeSequence = [_code("102538003", "SCT", "recumbent")]
    ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = [
        _code("40199007", "SCT", "supine")
    ]
    ds.PatientGantryRelationshipCodeSequence = [_code("102540008", "SCT", "headfirst")]
    window = Dataset()
    window.EnergyWindowName = "I-131"
    ds.EnergyWindowInformationSequence = [window]
    tracer = Dataset()
    tracer.RadionuclideCodeSequence = [_code("1576001", "SCT", "^131^Iodine")]
    tracer.Radiopharmaceutical = ""
    ds.RadiopharmaceuticalInformationSequence = [tracer]
    detector = Dataset()
    detector.CollimatorType = "PARA"
    detector.FocalDistance = 0
    detector.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    detector.ImagePositionPatient = [0, 0, 0]
    ds.DetectorInformationSequence = [detector]


def make_xa(ds: Dataset, *, lateral: bool) -> None:
    """Make the data set one plane of an angiography, from the front or from the side."""
    _put_gray(ds, drawings.draw_chest_projection(lateral, seed=int(lateral)))
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    ds.BodyPartExamined = "HEART"
    ds.PatientOrientation = ["A", "F"] if lateral else ["L", "F"]
    ds.LossyImageCompression = "00"
    ds.PixelIntensityRelationship = "LIN"
    ds.RadiationSetting = "GR"
    ds.KVP, ds.ExposureTime, ds.XRayTubeCurrent = 80, 100, 500
    ds.PositionerMotion = "STATIC"
    ds.PositionerPrimaryAngle, ds.PositionerSecondaryAngle = 90 if lateral else 0, 0
    ds.DistanceSourceToPatient = ds.DistanceSourceToDetector = ""
    ds.ImagerPixelSpacing = [1.5, 1.5]
    ds.WindowCenter, ds.WindowWidth = 2048, 4096


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _put_gray(ds: Dataset, pixels: drawings.Gray) -> None:
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, _STORED_BITS, _STORED_BITS - 1
    ds.PixelRepresentation = 0
    ds.PixelData = pixels.astype("<u2").tobytes()


def _put_plane(ds: Dataset, *, spacing_mm: float, thickness_mm: float, index: int) -> None:
    """An axial slice of a patient who lies on the back, head first."""
    ds.FrameOfReferenceUID = uid_of(ds.StudyInstanceUID, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.PatientPosition = "HFS"
    ds.PixelSpacing = [spacing_mm, spacing_mm]
    ds.SliceThickness = thickness_mm
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    half_mm = round(spacing_mm * ds.Columns / 2, 1)
    ds.ImagePositionPatient = [-half_mm, -half_mm, -thickness_mm * index]
